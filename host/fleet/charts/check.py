"""Renders the chart with each of its test values, and checks what comes out: by Kubernetes' schemas, by the operator's own definition, and for
what no pod may have."""

import argparse, pathlib, subprocess, sys

import jsonschema
import kubernetes_validate
import yaml

HERE = pathlib.Path(__file__).parent
CHART = HERE / "chrysalis"
VERSION = "1.37"
DIGEST = "sha256:" + "0" * 64
FLEET = {"name": "a", "platform": "snp", "replicas": 1, "memoryMiB": 2048,
         "artifacts": {"claim": "c", "image": "i", "disks": "d", "configuration": "f"}}
IMAGE = {"repository": "registry.example/host", "digest": DIGEST}
# Values that are refused, and the word by which.
WRONG = [
    ({"image": {"repository": "registry.example/host", "digest": "latest"}, "fleets": []}, "digest"),
    ({"image": {"repository": "", "digest": DIGEST}, "fleets": []}, "repository"),
    ({"image": IMAGE, "fleets": [{**FLEET, "platform": "sev"}]}, "platform"),
    ({"image": IMAGE, "fleets": [{**FLEET, "name": "A b"}]}, "name"),
    ({"image": IMAGE, "fleets": [{**FLEET, "artifacts": {**FLEET["artifacts"], "hostPath": "/x"}}]}, "artifacts"),
    ({"image": IMAGE, "fleets": [{**FLEET, "replica": 3}]}, "replica"),
    ({"image": IMAGE, "fleets": [], "cashier": {"enabled": True, "payee": "0:5", "chain": ["https://a"], "replicas": 2}}, "cashier.postgres"),
    ({"image": IMAGE, "fleets": [], "cashier": {"enabled": True, "chain": ["https://a"]}}, "cashier.payee"),
    ({"image": IMAGE, "fleets": [], "cashier": {"enabled": True, "payee": "0:5"}}, "cashier.chain"),
    ({"image": IMAGE, "fleets": [FLEET], "operator": {"enabled": True}}, "has no model"),
    ({"image": IMAGE, "fleets": [{**FLEET, "model": "m"}], "operator": {"enabled": True}}, "has no measured"),
    ({"image": IMAGE, "fleets": [{**FLEET, "model": "m", "measured": {"launchDigest": "ab"}}]}, "measured"),
    ({"image": IMAGE, "fleets": [{**FLEET, "model": "m", "measured": {"launchDigest": "a" * 96}, "payee": "0:5"}],
      "operator": {"enabled": True}}, "set cashier.enabled"),
    ({"image": IMAGE, "fleets": [], "operator": {"enabled": True, "network": {"keys": ["../key"]}}}, "keys"),
]
KINDS = {"StatefulSet", "Service", "PodDisruptionBudget", "NetworkPolicy", "HorizontalPodAutoscaler", "ChrysalisFleet", "Deployment",
         "ServiceAccount", "Role", "RoleBinding"}
# What the operator may do, and no more.
VERBS = {("chrysalisfleets", "get"), ("chrysalisfleets", "list"), ("chrysalisfleets", "watch"), ("chrysalisfleets/status", "update"),
         ("pods", "list"), ("pods", "watch"), ("pods", "create"), ("pods", "delete")}


def helm(program, *words, values=None):
    return subprocess.run([program, *words], input=values, capture_output=True, text=True)


def fail(what):
    sys.exit(f"error: {what}")


def check(wanted, what):
    if not wanted:
        fail(what)


def pod_is_harmless(name, pod):
    operates = pod.get("serviceAccountName", "").endswith("-operator")
    check(pod["automountServiceAccountToken"] is operates, f"{name} has a service account's token, or lacks one")
    for word in ("hostNetwork", "hostPID", "hostIPC"):
        check(not pod.get(word), f"{name} has {word}")
    check(pod["securityContext"]["runAsNonRoot"] is True, f"{name} runs as root")
    for container in pod["containers"]:
        context = container["securityContext"]
        check(context["privileged"] is False and context["allowPrivilegeEscalation"] is False, f"{name} is privileged")
        check(context["capabilities"]["drop"] == ["ALL"] and "add" not in context["capabilities"], f"{name} has capabilities")
        check(context["readOnlyRootFilesystem"] is True, f"{name} writes its image")
        check("@sha256:" in container["image"], f"{name} runs an image by its tag")
        for probe in () if operates else ("readinessProbe", "livenessProbe"):
            check(probe in container, f"{name} has no {probe}")
        check("memory" in container["resources"]["limits"], f"{name} has no bound of memory")


def host_drains(name, pod):
    container = pod["containers"][0]
    environment = {variable["name"]: variable.get("value") for variable in container["env"]}
    grace = int(environment["CHRYSALIS_RUN_GRACE"])
    check(pod["terminationGracePeriodSeconds"] >= grace + 90, f"{name} is killed before its grace is over")
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    check(command[1:] == ["drain", "127.0.0.1:9443"], f"{name} is not drained before it is stopped")
    check(container["readinessProbe"]["httpGet"]["path"] == "/ready", f"{name} is ready at another path")
    artifacts = [mount for mount in container["volumeMounts"] if mount["name"] == "artifacts"]
    check(artifacts[0].get("readOnly") is True, f"{name} could write its artifacts")


def schema_is_structural(schema, where="spec"):
    """What an API server wants of a definition's schema, and no published schema says."""
    kept = schema.get("x-kubernetes-preserve-unknown-fields") is True
    check("type" in schema or kept, f"the definition: {where} has no type")
    for word in ("$ref", "definitions", "patternProperties", "uniqueItems"):
        check(word not in schema, f"the definition: {where} has {word}")
    check(not ("properties" in schema and "additionalProperties" in schema), f"the definition: {where} has additionalProperties")
    for name, inner in schema.get("properties", {}).items():
        schema_is_structural(inner, f"{where}.{name}")
    if "items" in schema:
        schema_is_structural(schema["items"], where + "[]")


def definition():
    document = yaml.safe_load((CHART / "crds" / "chrysalisfleets.yaml").read_text())
    kubernetes_validate.validate(document, VERSION, strict=True)
    schemas_refuse(document)
    version = document["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    schema_is_structural(schema)
    check(version["subresources"]["scale"]["labelSelectorPath"] == ".status.selector", "the definition: autoscalers find no pods")
    return schema


def fleet_is_defined(schema, document):
    name, spec = document["metadata"]["name"], document["spec"]
    jsonschema.Draft7Validator(schema).validate(document)
    unknown = set(spec) - set(schema["properties"]["spec"]["properties"])
    check(not unknown, f"{name}: the definition has no {unknown}")
    wrong = [{"replicas": -1}, {"platform": "sev"}, {"image": {"launchDigest": "ab"}}, {"model": ""}, {"template": None}]
    for change in wrong:
        check(not jsonschema.Draft7Validator(schema).is_valid({**document, "spec": {**spec, **change}}), f"the definition takes {change}")


def role_is_small(document):
    verbs = {(resource, verb) for rule in document["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    check(verbs == VERBS, f"the operator may do other things: {verbs ^ VERBS}")


def options_are_known(text):
    """Every variable is an option of the program: a chart and a program that disagree would not start."""
    known = (HERE.parents[1] / "src").rglob("options.rs")
    source = "".join(path.read_text() for path in known) + (HERE.parents[1] / "src/cashier/command/serve.rs").read_text()
    operator = "".join(path.read_text() for path in (HERE.parent / "src").glob("*.rs"))
    for variable in {word.strip('"{},') for word in text.split() if word.startswith("CHRYSALIS_FLEET_")}:
        check(f'env = "{variable}"' in operator, f"{variable} is no option of the operator")
    for variable in {word.strip('"{},') for word in text.split() if word.startswith(("CHRYSALIS_RUN_", "CHRYSALIS_CASHIER_"))}:
        option = variable.split("_", 2)[2].lower()
        named = option in {"gpu", "statement"} or f" {option}: " in source
        check(named, f"{variable} is no option")


def rendered(program, values):
    template = helm(program, "template", "fleet", str(CHART), "--kube-version", VERSION + ".0", "-f", str(values))
    check(template.returncode == 0, f"{values.name}: {template.stderr}")
    return template.stdout


def schemas_refuse(document):
    """What checks documents finds a misspelt field."""
    try:
        kubernetes_validate.validate({**document, "sepc": {}}, VERSION, strict=True)
    except kubernetes_validate.ValidationError:
        return
    fail("the schemas refuse nothing")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--helm", required=True)
    program = parser.parse_args().helm
    schema = definition()
    counted = {}
    for values in sorted((HERE / "tests").glob("*.yaml")):
        lint = helm(program, "lint", "--strict", str(CHART), "-f", str(values))
        check(lint.returncode == 0, f"{values.name}: {lint.stdout}{lint.stderr}")
        text = rendered(program, values)
        options_are_known(text)
        makers = set()
        for document in filter(None, yaml.safe_load_all(text)):
            kind, name = document["kind"], document["metadata"]["name"]
            if kind == "ChrysalisFleet":
                fleet_is_defined(schema, document)
            else:
                kubernetes_validate.validate(document, VERSION, strict=True)
                schemas_refuse(document)
            counted[kind] = counted.get(kind, 0) + 1
            if kind == "Role":
                role_is_small(document)
            if kind in ("StatefulSet", "Deployment", "ChrysalisFleet"):
                pod = document["spec"]["template"]["spec"]
                pod_is_harmless(name, pod)
                if not name.endswith(("-cashier", "-operator")):
                    host_drains(name, pod)
                    makers.add(kind)
        check(len(makers) == 1, f"{values.name}: {makers} make the hosts' pods")
    check(set(counted) == KINDS, f"other kinds: {set(counted) ^ KINDS}")
    for values, word in WRONG:
        refused = helm(program, "template", "fleet", str(CHART), "-f", "-", values=yaml.safe_dump(values))
        check(refused.returncode != 0 and word in refused.stderr, f"{values} is taken: {refused.stderr}")
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items()))
    print(f"chart: {kinds} by the schemas of Kubernetes {VERSION}; {len(WRONG)} wrong values refused")


main()
