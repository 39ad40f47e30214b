"""Bad answers: each is refused in one line, before anything is written or run."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from cookiecutter.cli import main
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter

from tests.answers import HOSTILE, RUN
from tests.baking import ROOT, files_of, template, user_config

REFUSAL = re.compile(
    r".+: got .+; expected .+, e\.g\. '.+'\. Nothing was written; safe to retry\.\n"
)
QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))


@pytest.fixture
def empty(tmp_path, monkeypatch) -> Path:
    """An empty folder, which is also where the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command_line(*words: str) -> list[str]:
    return [str(template()), *words, "--no-input", "--config-file", str(user_config())]


@pytest.mark.parametrize(("question", "answer"), HOSTILE, ids=lambda text: ascii(text)[:40])
def test_a_hostile_answer_is_refused_in_one_line_and_leaves_nothing(empty, question, answer):
    result = CliRunner().invoke(main, command_line(f"{question}={answer}"))

    assert REFUSAL.fullmatch(result.output), result.output
    assert result.output.removesuffix("\n").isprintable()
    assert result.exit_code == 1
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    "answer",
    [
        "project_name={{ " + RUN + " }}",
        "project_slug=../orders",
        "description=two\nlines",
        "colour=red",
    ],
)
def test_the_installed_command_refuses_without_a_traceback(empty, answer):
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", *command_line(answer)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert REFUSAL.fullmatch(done.stdout), done.stdout
    assert (done.returncode, done.stderr) == (1, "")
    assert list(empty.iterdir()) == []


def test_a_refusal_needs_no_hook(empty):
    words = command_line("project_slug=../orders", "--accept-hooks", "no")

    result = CliRunner().invoke(main, words)

    assert REFUSAL.fullmatch(result.output)
    assert list(empty.iterdir()) == []


def test_a_program_that_bakes_is_refused_too(empty):
    with pytest.raises(FailedHookException, match=r"^owner: got .*safe to retry"):
        cookiecutter(
            str(template()),
            no_input=True,
            extra_context={"owner": "{{ " + RUN + " }}"},
            config_file=str(user_config()),
        )

    assert list(empty.iterdir()) == []


def test_a_hostile_default_in_the_users_own_configuration_is_refused(empty, tmp_path_factory):
    config = tmp_path_factory.mktemp("config") / "cookiecutter.yaml"
    config.write_text(json.dumps({"default_context": {"owner": "{{ " + RUN + " }}"}}))

    result = CliRunner().invoke(main, [str(template()), "--no-input", "--config-file", str(config)])

    assert REFUSAL.fullmatch(result.output)
    assert list(empty.iterdir()) == []


BAD_IN_CONFIGURATION = [
    ({"deploy": "swarm"}, "deploy", "'swarm'; expected one of compose, kubernetes, e.g. 'compose'"),
    ({"ci": ["github"]}, "ci", "['github']; expected one of github, gitlab, none, e.g. 'github'"),
    ({"ci": None}, "ci", "None; expected one of"),
    ({"owner": "team-a", "database": "maybe"}, "database", "'maybe'; expected true or false, e.g."),
    ({"cache": 3, "full_name": "Ada"}, "cache", "3; expected true or false, e.g. 'true'"),
]


@pytest.mark.filterwarnings("ignore:Invalid default received")  # all that cookiecutter says
@pytest.mark.parametrize("given", ["--config-file", "COOKIECUTTER_CONFIG"])
@pytest.mark.parametrize(("answers", "question", "refusal"), BAD_IN_CONFIGURATION)
def test_a_bad_choice_in_the_users_own_configuration_is_refused_by_name(
    empty, tmp_path_factory, given, answers, question, refusal
):
    config = tmp_path_factory.mktemp("config") / "cookiecutter.yaml"
    config.write_text(json.dumps({"default_context": answers}))
    words = [str(template()), "--no-input"]
    if given == "--config-file":
        words += [given, str(config)]

    result = CliRunner(env={"COOKIECUTTER_CONFIG": str(config)}).invoke(main, words)

    expected = f"{question} in the user's cookiecutter configuration: got {refusal}"
    assert result.output.startswith(expected), result.output
    assert REFUSAL.fullmatch(result.output)
    assert (result.exit_code, list(empty.iterdir())) == (1, [])


def test_a_good_configuration_of_the_user_answers_the_questions(empty, tmp_path_factory):
    folder = tmp_path_factory.mktemp("config")
    answers = {
        "full_name": "Ada",
        "owner": "team-a",
        "cache": "no",
        "database": False,
        "ci": "none",
    }
    (folder / "rc.yaml").write_text(
        json.dumps({"default_context": answers, "replay_dir": str(folder), "hooks": {"post": "x"}})
    )

    result = CliRunner(env={"COOKIECUTTER_CONFIG": str(folder / "rc.yaml")}).invoke(
        main, [str(template()), "--no-input"]
    )

    assert result.exit_code == 0, result.output
    recorded = json.loads((empty / "orders-api" / ".vitals.json").read_text())["answers"]
    assert recorded | {"owner": "team-a", "cache": "false", "database": "false", "ci": "none"} == (
        recorded
    )


@pytest.fixture(scope="module")
def replay(tmp_path_factory) -> Path:
    """What cookiecutter recorded when it generated a project."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "config.yaml").write_text(json.dumps({"replay_dir": str(folder)}))
    generated = ["--no-input", "--config-file", str(folder / "config.yaml"), "-o", str(folder)]
    CliRunner().invoke(main, [str(template()), "owner=team-a", "ci=gitlab", *generated])
    return folder / f"{template().name}.json"


def replayed(recorded: Path):
    words = ["--replay", "--config-file", str(recorded.with_name("config.yaml"))]
    return CliRunner().invoke(main, [str(template()), *words])


def test_a_replay_generates_the_same_project(empty, replay):
    result = replayed(replay)

    assert result.exit_code == 0, result.output
    again, first = empty / "orders-api", replay.with_name("orders-api")
    assert files_of(again) == files_of(first)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("project_slug", "../orders"),
        ("description", 'a "quote"'),
        ("project_name", "{{ " + RUN + " }}"),
        ("owner", None),
        ("deploy", "swarm"),
        ("cache", "maybe"),
    ],
)
def test_a_bad_answer_in_a_replay_is_refused_in_one_line(
    empty, replay, tmp_path_factory, question, answer
):
    context = json.loads(replay.read_text())
    context["cookiecutter"][question] = answer
    bad = tmp_path_factory.mktemp("bad")
    (bad / replay.name).write_text(json.dumps(context))
    (bad / "config.yaml").write_text(json.dumps({"replay_dir": str(bad)}))

    result = replayed(bad / replay.name)

    assert REFUSAL.fullmatch(result.output), result.output
    assert result.output.startswith(f"{question}: got ")
    assert (result.exit_code, list(empty.iterdir())) == (1, [])


def test_a_bad_answer_at_the_prompt_is_refused_before_the_next_question(empty):
    words = [word for word in command_line() if word != "--no-input"]

    result = CliRunner().invoke(main, words, input="Orders API\n../orders\n")

    assert "[2/8]" in result.output
    assert "[3/8]" not in result.output
    assert REFUSAL.fullmatch(result.output.splitlines()[-1].rpartition("): ")[2] + "\n")
    assert list(empty.iterdir()) == []


@pytest.mark.usefixtures("empty")
def test_the_refusal_says_what_was_found_what_fits_and_that_a_retry_is_safe():
    result = CliRunner().invoke(main, command_line("project_slug=Orders API!"))

    assert result.output == (
        "project_slug: got 'Orders API!'; expected 3 to 40 lower-case letters, digits and single "
        "hyphens, starting with a letter, e.g. 'orders-api'. Nothing was written; safe to retry.\n"
    )


@pytest.mark.usefixtures("empty")
def test_a_mistyped_question_is_refused_with_the_nearest_one():
    result = CliRunner().invoke(main, command_line("projct_slug=orders"))

    assert "e.g. 'project_slug'" in result.output


def test_a_folder_that_exists_is_refused_and_kept(empty):
    (empty / "orders-api").mkdir()

    result = CliRunner().invoke(main, command_line())

    assert result.exit_code == 1
    assert result.output == 'Error: "orders-api" directory already exists\n'
    assert list((empty / "orders-api").iterdir()) == []


def test_every_question_has_a_prompt_with_an_example():
    keys = [key for key in QUESTIONS if not key.startswith("_")]
    prompts = QUESTIONS["__prompts__"]
    texts = {
        key: text if isinstance(text, str) else text["__prompt__"] for key, text in prompts.items()
    }

    assert list(texts) == keys
    assert [key for key, text in texts.items() if "e.g. " not in text] == []
