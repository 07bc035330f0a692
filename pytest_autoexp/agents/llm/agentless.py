"""The fixed pipeline: retrieve, fill each masked function, run, report; nothing is tried again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_autoexp.agents.llm.chat import MODEL_OPTIONS, Chat, Model, read_model
from pytest_autoexp.agents.llm.options import check_names, read_choice, read_count
from pytest_autoexp.agents.llm.tools import ToolError, write_file
from pytest_autoexp.model.errors import UsageError
from pytest_autoexp.model.result import AgentResult
from pytest_autoexp.model.trial import (
    CODE_DIR,
    EXPERIMENTS_FILE,
    METRICS_VARIABLE,
    PAPER_FILE,
    REPORT_FILE,
    Trial,
)
from pytest_autoexp.sandbox.folder import PrivateFolder
from pytest_autoexp.sandbox.protocol import Sandbox
from pytest_autoexp.text import cut_middle

PASSAGES = 8
"""How many passages go with a function, unless option ``passages`` says otherwise."""

RETRIEVALS = ("lexical", "embedding")
"""Values of option ``retrieval``."""

_MAX_READ_BYTES = 4 * 1024**2
_SHOWN_FILE_CHARS = 16_000
_SHOWN_OUTPUT_CHARS = 16_000
_METRICS_FILE = "autoexp-agentless-metrics.json"
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)

_FILL = """\
You write one missing function of a research code base. Its docstring says what it must do; the \
passages of the paper and the code below may say how. Answer with one block of Python code: the \
whole function, its header as it is, inside its class if it is a method. Imports and helpers that \
it needs and that the file lacks stand at the top of the block. Write no explanations.
"""

_EXTRACT = """\
An experiment printed what is below. Find in it the values of its metrics and answer with one JSON \
object of this form, with numbers in the place of each null, and nothing else; leave out what is \
not there:
"""


@dataclass(frozen=True)
class _Wanted:
    """A masked function.

    Attributes:
        target: Its name in the task.
        path: Path of its file, in the code.
        name: Qualified name in it.
        text: Its header and its docstring.
        shown: What is shown of its file.
    """

    target: str
    path: str
    name: str
    text: str
    shown: str


@dataclass(frozen=True)
class Agentless:
    """One call of the model for each masked function, then one run of each experiment.

    Attributes:
        model: Which model it asks.
        retrieval: ``"lexical"`` or ``"embedding"``.
        passages: How many passages go with each function.
        embedding_model: Which model embeds them.
    """

    model: Model
    retrieval: str = "lexical"
    passages: int = PASSAGES
    embedding_model: str = ""
    models: ClassVar[bool] = True

    def run(self, trial: Trial, sandbox: Sandbox) -> AgentResult:
        """Work on the trial.

        Raises:
            LimitReached: At a limit of the trial, or of the model's context.
            InfrastructureError: If the model's provider fails.
        """
        chat = Chat.of(self.model, sandbox)
        log = self._fill_all(chat, trial, sandbox) if trial.masked else []
        reported = {}
        for experiment in json.loads(sandbox.read(EXPERIMENTS_FILE, _MAX_READ_BYTES) or b"[]"):
            metrics, ended = _run(chat, sandbox, experiment)
            log.append(f"experiment {experiment['name']}: {ended}")
            if metrics:
                reported[experiment["name"]] = metrics
        write_file(sandbox, REPORT_FILE, json.dumps(reported, indent=2).encode())
        return AgentResult(reported=reported, stdout="\n".join(log))

    def _fill_all(self, chat: Chat, trial: Trial, sandbox: Sandbox) -> list[str]:
        """Fill each masked function; a line of the log for each."""
        from pytest_autoexp.agents.llm.fill import code_of, fill, function_text
        from pytest_autoexp.masking.elsewhere import elsewhere
        from pytest_autoexp.masking.source import MaskingError

        files, log = _python_files(sandbox), []
        wanted = []
        for target in trial.masked:
            path, name = target.split("::", 1)
            try:
                text = function_text(files[path], name)
            except MaskingError:  # its place is in the body of another masked one
                log.append(f"{target}: comes with the function around it")
            else:
                shown = cut_middle(files[path].decode("utf-8", "replace"), _SHOWN_FILE_CHARS)
                wanted.append(_Wanted(target, path, name, text, shown))
        found = self._retrieve(chat, wanted, files, sandbox.read(PAPER_FILE, _MAX_READ_BYTES))
        for function, passages in zip(wanted, found, strict=True):
            path, name = function.path, function.name
            parts = [_FILL, *passages, f"The file {path}:\n\n{function.shown}"]
            parts.append(f"Write the function {name} of {path}:\n\n{function.text}")
            reply = chat.ask([{"role": "user", "content": "\n\n".join(parts)}])
            try:
                code = elsewhere(code_of, reply.text)
                files[path] = elsewhere(fill, files[path], name, code)
                write_file(sandbox, f"{CODE_DIR}/{path}", files[path])
                log.append(f"{function.target}: filled")
            except (MaskingError, ToolError) as error:
                log.append(f"{function.target}: the answer cannot be used: {error}")
        return log

    def _retrieve(
        self,
        chat: Chat,
        wanted: Sequence[_Wanted],
        files: Mapping[str, bytes],
        paper: bytes | None,
    ) -> list[list[str]]:
        """The passages for each function, as text, without what is shown of its file."""
        from pytest_autoexp.agents.llm import retrieval

        sources = {path: content.decode("utf-8", "replace") for path, content in files.items()}
        passages = retrieval.paper_passages((paper or b"").decode("utf-8", "replace"))
        passages += retrieval.code_passages(sources)
        texts = [f"{passage.place}\n{passage.text}" for passage in passages]
        queries = [function.text[: retrieval.MAX_PASSAGE_CHARS] for function in wanted]
        if self.retrieval == "embedding":
            vectors = chat.embed(self.embedding_model, [*queries, *texts])
            kept = vectors[len(queries) :]
            scores = [retrieval.cosine(query, kept) for query in vectors[: len(queries)]]
        else:
            scores = [retrieval.lexical(query, texts) for query in queries]
        chosen = []
        for function, score in zip(wanted, scores, strict=True):
            new = [
                0.0 if passage.text in function.shown else value
                for passage, value in zip(passages, score, strict=True)
            ]
            best = retrieval.best(passages, new, self.passages)
            chosen.append([f"From {passage.place}:\n\n{passage.text}" for passage in best])
        return chosen


def _python_files(sandbox: Sandbox) -> dict[str, bytes]:
    """The Python files of the workspace's code, by path."""
    with PrivateFolder() as folder:
        code = folder / CODE_DIR
        sandbox.get(code, CODE_DIR)
        return {
            file.relative_to(code).as_posix(): file.read_bytes()
            for file in sorted(code.rglob("*.py"))
        }


def _run(chat: Chat, sandbox: Sandbox, experiment: Mapping[str, Any]) -> tuple[Any, str]:
    """Run an experiment: its metrics, as far as they are found, and how it ended."""
    done = sandbox.run(
        experiment["command"],
        time_limit_sec=experiment["timeout_sec"],
        cwd=CODE_DIR,
        env={METRICS_VARIABLE: f"{sandbox.workspace}/{_METRICS_FILE}"},
    )
    content = sandbox.read(_METRICS_FILE, _MAX_READ_BYTES)
    sandbox.run(f"rm -rf {_METRICS_FILE}", time_limit_sec=experiment["timeout_sec"])
    if not done.ok:
        ended = f"limit of {done.killed_by}" if done.killed_by else f"exit status {done.exit_code}"
        return {}, f"{ended}\n{done.stderr[-1000:]}"
    measured = _json_object(content.decode("utf-8", "replace")) if content else {}
    if not measured:
        form = json.dumps(experiment["metrics"])
        output = cut_middle(done.stdout, _SHOWN_OUTPUT_CHARS)
        asked = f"{_EXTRACT}\n{form}\n\nOutput:\n{output}"
        answer = chat.ask([{"role": "user", "content": asked}]).text
        found = _OBJECT.search(answer)
        measured = _json_object(found.group() if found else "")
    wanted = {name: measured[name] for name in experiment["metrics"] if name in measured}
    return wanted, f"{len(wanted)} of {len(experiment['metrics'])} metrics"


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def make_agentless(options: Mapping[str, str]) -> Agentless:
    """The agent, with its options.

    Args:
        options: What ``--agent-option`` gave.

    Raises:
        UsageError: If an option cannot be used.
    """
    own = ("retrieval", "passages", "embedding_model")
    check_names("agentless", options, (*MODEL_OPTIONS, *own))
    retrieval = read_choice(options, "retrieval", RETRIEVALS, "lexical")
    embedding_model = options.get("embedding_model", "").strip()
    if (retrieval == "embedding") != bool(embedding_model):
        raise UsageError(
            "--agent-option retrieval=embedding and --agent-option embedding_model=MODEL (such as"
            " text-embedding-3-small) go together"
        )
    passages = read_count(options, "passages", PASSAGES, least=0)
    return Agentless(read_model("agentless", options), retrieval, passages, embedding_model)
