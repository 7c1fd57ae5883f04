"""What Helm says of a chart that it cannot render, in one line each."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from zerojhub.errors import MachineError
from zerojhub.helm.template import parse, refusal

HINT = "\n\nUse --debug flag to render out invalid YAML\n"
BANNER = "#" * 81


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (
            "Error: execution error at (jupyterhub/templates/proxy/autohttps/configmap.yaml:4:57): "
            "proxy.https.letsencrypt.contactEmail is a required field" + HINT,
            ["proxy.https.letsencrypt.contactEmail is a required field"],
        ),
        (
            f"Error: execution error at (jupyterhub/templates/NOTES.txt:162:4): \n\n{BANNER}\n"
            f"######   BREAKING: The config values passed contained no longer accepted    #####\n{BANNER}\n\n"
            f"CHANGED: rbac.enabled must be\nrbac.create.\n\nCHANGED: hub.fsGid is gone.\n\n\n{HINT}",
            ["CHANGED: rbac.enabled must be rbac.create.", "CHANGED: hub.fsGid is gone."],
        ),
        (
            f"Error: execution error at (x/templates/NOTES.txt:1:3): {BANNER}\n### ERROR: no host. ####\n{BANNER}",
            ["ERROR: no host."],
        ),
        ("Error: execution error at (x/templates/a.yaml:1:3): " + HINT, ["templates/a.yaml fails without a message"]),
        (
            'Error: template: x/templates/a.yaml:1:3: executing "x/templates/a.yaml" at <include "out" .>: error calling '
            'include: template: x/templates/_h.tpl:2:6: executing "out" at <include "in" .>: error calling include: '
            'template: x/templates/_h.tpl:1:27: executing "in" at <.Values.a.b.c>: nil pointer evaluating interface {}.b'
            + HINT,
            ["templates/_h.tpl:1: .Values.a.b.c: nil pointer evaluating interface {}.b"],
        ),
        (  # Helm 4
            'Error: x/templates/a.yaml:1:3\n  executing "x/templates/a.yaml" at <include "out" .>:\n    error calling '
            'include:\nx/templates/_h.tpl:2:6\n  executing "out" at <include "in" .>:\n    error calling include:\n'
            'x/templates/_h.tpl:1:27\n  executing "in" at <.Values.a.b.c>:\n    nil pointer evaluating interface {}.b'
            + HINT,
            ["templates/_h.tpl:1: .Values.a.b.c: nil pointer evaluating interface {}.b"],
        ),
        (
            'Error: template: x/templates/a.yaml:1:15: executing "x/templates/a.yaml" at <b64enc>: wrong type for value; '
            "expected string; got float64" + HINT,
            ["templates/a.yaml:1: b64enc: wrong type for value; expected string; got float64"],
        ),
        (
            'Error: template: x/templates/a.yaml:7:3: executing "x/templates/a.yaml" at <tpl .Values.a .>: error calling '
            'tpl: error during tpl function execution for "{{ .Values.b.c }}": template: gotpl:1:10: executing "gotpl" at '
            "<.Values.b.c>: nil pointer evaluating interface {}.c" + HINT,
            ["templates/a.yaml:7: .Values.b.c: nil pointer evaluating interface {}.c"],
        ),
        (
            'Error: parse error at (x/templates/a.yaml:1): function "nofunc" not defined' + HINT,
            ['templates/a.yaml:1: function "nofunc" not defined'],
        ),
        (
            "Error: YAML parse error on x/templates/a.yaml: error converting YAML to JSON: yaml: line 3: mapping values "
            "are not allowed in this context" + HINT,
            ["templates/a.yaml does not become valid YAML: line 3: mapping values are not allowed in this context"],
        ),
        (
            "Error: values don't meet the specifications of the schema(s) in the following chart(s):\njupyterhub:\n"
            "- at '/hub/a': 'oneOf' failed, none matched\n  - at '/hub/a': missing property 'data'\n"
            "  - at '/hub/a': missing property 'x'\nsub:\n- b: Invalid type. Expected: string, given: number\n\n",
            [
                "jupyterhub: at '/hub/a': 'oneOf' failed, none matched; at '/hub/a': missing property 'data'; "
                "at '/hub/a': missing property 'x'",
                "sub: b: Invalid type. Expected: string, given: number",
            ],
        ),
        (
            "WARNING: Kubernetes configuration file is group-readable.\nError: found in Chart.yaml, but missing in "
            "charts/ directory: sub\n",
            ["found in Chart.yaml, but missing in charts/ directory: sub"],
        ),
        ("Error: bad \x1b[31mcolour\n\nof text", ["bad �[31mcolour of text"]),
    ],
)
def test_what_helm_says_is_a_line_for_each_thing_that_is_wrong(stderr, said):
    assert list(parse(stderr).paragraphs) == said


@pytest.mark.parametrize(
    ("script", "words"), [("kill -9 $$", "exit code -9"), ("echo panic: no memory >&2; exit 2", "panic: no memory")]
)
def test_a_helm_that_gives_no_answer_says_nothing_about_the_chart(tmp_path, script, words):
    program = tmp_path / "helm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(MachineError, match=words):
        anyio.run(partial(refusal, str(program), b"", {}, release="lab", namespace="lab"))
