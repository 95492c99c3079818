"""Answers with a status of their own."""

from connectnow_api.responses import accepted


def test_accepted_says_that_the_work_is_done_later() -> None:
    response = accepted(job=5)
    assert response.status_code == 202
    assert response.data == {"message": "Your request was accepted and queued.", "job": 5}
    assert accepted("Queued.").data == {"message": "Queued."}
