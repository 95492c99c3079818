-- Looks at counters and, if a request fits into all of them, adds it to all: in one step, since
-- Redis runs nothing else meanwhile. The same windows as in memory.py, step by step.
--
-- KEYS: the counters. ARGV: "1" to add, "0" to look only; then for each counter, in one text, since
-- each argument has its price: its window, limit, length in ms, and what the request costs; then the
-- time in ms, unless it is the server's own.
-- Returns the time in ms, 1 if the request was added and else 0, and for each counter what counts in
-- it and when it resets, in ms; all of them are whole numbers.

local now = tonumber(ARGV[#KEYS + 2])
if not now then
    local clock = redis.call('TIME')
    now = clock[1] * 1000 + math.floor(clock[2] / 1000)
end

local read, add, reset = {}, {}, {}

-- A hash of the count and the end: it starts with the first request that is counted.

function read.fixed(key, length)
    local kept = redis.call('HMGET', key, 'count', 'end')
    local ends = tonumber(kept[2]) or 0
    return {ends = ends, hits = now < ends and tonumber(kept[1]) or 0}
end

function add.fixed(window, key, length, cost)
    if now >= window.ends then
        window.ends = now + length
        redis.call('HSET', key, 'count', cost, 'end', window.ends)
        redis.call('PEXPIRE', key, length)
    else
        redis.call('HINCRBY', key, 'count', cost)
    end
    window.hits = window.hits + cost
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

function add.moving(window, key, length, cost)
    window.hits = window.hits + cost
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

function add.sliding(window, key, length, cost)
    window.count, window.hits = window.count + cost, window.hits + cost
    redis.call(
        'HSET', key, 'start', window.start, 'count', window.count, 'before', window.before
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

local counters, seen, is_shared = {}, {}, false
for index, key in ipairs(KEYS) do
    local kind, limit, length, cost = string.match(ARGV[index + 1], '(%a+) (%d+) (%d+) (%d+)')
    counters[index] = {
        key = key,
        kind = kind,
        limit = tonumber(limit),
        length = tonumber(length),
        cost = tonumber(cost),
    }
    is_shared, seen[key] = is_shared or seen[key], true
end

-- What counts in one place changes one another, and is read again each time; the rest only once.
local function find(counter)
    if is_shared or not counter.window then
        counter.window = read[counter.kind](counter.key, counter.length)
    end
    return counter.window
end

-- Each counts what those before it add to the same number.
local adds, added = ARGV[1] == '1', {}
for _, counter in ipairs(counters) do
    added[counter.key] = (added[counter.key] or 0) + counter.cost
    adds = adds and find(counter).hits + added[counter.key] <= counter.limit
end

for _, counter in ipairs(counters) do
    if adds then
        add[counter.kind](find(counter), counter.key, counter.length, counter.cost)
    end
end
local found = {now, adds and 1 or 0}
for index, counter in ipairs(counters) do
    local window = find(counter)
    found[2 * index + 1] = window.hits
    found[2 * index + 2] = reset[counter.kind](window, counter.length, counter.limit, counter.cost)
end
return found
