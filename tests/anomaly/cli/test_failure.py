"""Every failure as one sentence, a hint and an exit code."""

import psycopg
import pytest
import sqlalchemy

from anomaly import errors
from anomaly.cli.failure import explain, guarded


def failing(failure):
    def deed():
        raise failure

    return deed


def test_what_goes_well_is_silent(capsys):
    assert guarded(lambda: 0) == 0
    assert guarded(lambda: 3) == 3
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (errors.AnomalyError("it failed"), 1),
        (errors.SettingsInvalid("wrong"), 2),
        (errors.Refused("no"), 4),
        (errors.DatabaseUnavailable("gone"), 5),
        (errors.SchemaOutdated("old"), 5),
        (FileNotFoundError(2, "No such file or directory", "audit.log"), 1),
        (psycopg.OperationalError("server closed the connection"), 5),
        (sqlalchemy.exc.OperationalError("SELECT 1", {}, psycopg.OperationalError("gone")), 5),
        (ZeroDivisionError("division by zero"), 1),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 141),
    ],
)
def test_each_failure_has_its_code_and_no_trace(capfd, failure, code):
    assert guarded(failing(failure)) == code
    assert "Traceback" not in capfd.readouterr().err


def test_the_hint_stands_below_the_sentence(capsys):
    guarded(failing(errors.DatabaseUnavailable("It is gone.", hint="Start it.")))

    assert capsys.readouterr().err == "anomaly: It is gone.\nhint: Start it.\n"


def test_an_error_without_words_says_its_docstring():
    message, _, _ = explain(errors.NoModel())

    assert message == "No model has been trained yet; run `anomaly train` first."


def test_a_hostile_name_in_a_failure_cannot_steer_the_terminal(capsys):
    guarded(failing(errors.NotFound("There is no entity \x1b[2Jbob\u202e.")))

    assert capsys.readouterr().err == "anomaly: There is no entity \\x1b[2Jbob\\u202e.\n"


def test_the_statement_and_its_values_stay_out_of_a_database_failure():
    failure = sqlalchemy.exc.OperationalError(
        "SELECT :x", {"x": "secret"}, psycopg.OperationalError("gone\nmore")
    )
    message, _, _ = explain(failure)

    assert message == "The database failed: gone"


def test_a_bug_says_that_it_is_one_and_debug_shows_where(capsys):
    guarded(failing(ZeroDivisionError("division by zero")), debug=True)
    said = capsys.readouterr().err

    assert "Traceback" in said
    assert "anomaly: Unexpected ZeroDivisionError: division by zero" in said
    assert "--debug" in said
