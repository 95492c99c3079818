-- Looks at counters and, if a request fits into all of them, adds it to all: in one step, since
-- Redis runs nothing else meanwhile. The same windows as in memory.py, step by step.
--
-- KEYS: the counters. ARGV: the time in ms, or "" for the server's own; "1" to add, "0" to look
-- only; then for each counter its window, limit, length in ms, and what the request costs.
-- Returns the time in ms, 1 if the request was added and else 0, and for each counter what counts in
-- it and when it resets, in ms.

local now = tonumber(ARGV[1])
if not now then
    local clock = redis.call('TIME')
    now = clock[1] * 1000 + math.floor(clock[2] / 1000)
end

local read, add, reset = {}, {}, {}

-- A hash of the count and the end: it starts with the first request that is counted.

function read.fixed(key, length)
    local kept = redis.call('HMGET', key, 'count', 'end')
    local window = {count = tonumber(kept[1]) or 0, ends = tonumber(kept[2]) or 0}
    window.hits = now < window.ends and window.count or 0
    return window
end

function add.fixed(key, length, cost)
    local window = read.fixed(key, length)
    if now >= window.ends then
        redis.call('HSET', key, 'count', cost, 'end', now + length)
        redis.call('PEXPIRE', key, length)
    else
        redis.call('HINCRBY', key, 'count', cost)
    end
end

function reset.fixed(window, length, limit, cost)
    return now < window.ends and window.ends or now + length
end

-- A list of times, the oldest first.

function read.moving(key, length)
    local oldest = redis.call('LINDEX', key, 0)
    while oldest and tonumber(oldest) <= now - length do
        redis.call('LPOP', key)
        oldest = redis.call('LINDEX', key, 0)
    end
    return {key = key, hits = redis.call('LLEN', key)}
end

function add.moving(key, length, cost)
    while cost > 0 do
        local times = {}
        for index = 1, math.min(cost, 1000) do
            times[index] = now
        end
        redis.call('RPUSH', key, unpack(times))
        cost = cost - #times
    end
    redis.call('PEXPIRE', key, length)
end

function reset.moving(window, length, limit, cost)
    local excess = math.min(window.hits + cost - limit, window.hits)
    local waiting_for = redis.call('LINDEX', window.key, math.max(0, excess - 1))
    return (tonumber(waiting_for) or now) + length
end

-- A hash of where the window starts, its count, and the count of the one before.

function read.sliding(key, length)
    local kept = redis.call('HMGET', key, 'start', 'count', 'before')
    local window = {
        start = tonumber(kept[1]) or 0,
        count = tonumber(kept[2]) or 0,
        before = tonumber(kept[3]) or 0,
    }
    local passed = math.floor((now - window.start) / length)
    if passed == 1 then
        window.start, window.before, window.count = window.start + length, window.count, 0
    elseif passed > 1 then
        window.start, window.before, window.count = now, 0, 0
    end
    local left = length - (now - window.start)
    window.hits = window.count + math.ceil(window.before * left / length)
    return window
end

function add.sliding(key, length, cost)
    local window = read.sliding(key, length)
    redis.call(
        'HSET', key, 'start', window.start, 'count', window.count + cost, 'before', window.before
    )
    redis.call('PEXPIRE', key, window.start + 2 * length - now)
end

function reset.sliding(window, length, limit, cost)
    if window.hits + cost <= limit then
        return window.start + length
    end
    local spare = limit - cost - window.count
    if spare >= 0 and window.before > 0 then
        return window.start + math.max(0, length - math.floor(length * spare / window.before))
    end
    spare = limit - cost
    if spare >= 0 and window.count > 0 then
        local later = math.max(0, length - math.floor(length * spare / window.count))
        return window.start + length + later
    end
    return window.start + length
end

local function counter(index)
    local first = 4 * index - 1
    return ARGV[first], tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2]),
        tonumber(ARGV[first + 3])
end

local adds = ARGV[2] == '1'
for index, key in ipairs(KEYS) do
    local window, limit, length, cost = counter(index)
    adds = adds and read[window](key, length).hits + cost <= limit
end

for index, key in ipairs(KEYS) do
    local window, limit, length, cost = counter(index)
    if adds then
        add[window](key, length, cost)
    end
end
local found = {string.format('%.0f', now), adds and '1' or '0'}
for index, key in ipairs(KEYS) do
    local window, limit, length, cost = counter(index)
    local state = read[window](key, length)
    found[2 * index + 1] = string.format('%.0f', state.hits)
    found[2 * index + 2] = string.format('%.0f', reset[window](state, length, limit, cost))
end
return found
