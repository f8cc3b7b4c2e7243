#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Holds the netlink specification against the C sources that implement it.

usage: spec.py asserts SPEC            prints C that compiles if the header agrees
       spec.py header SPEC HEADER      every name of the header is in the specification
       spec.py driver SPEC NETLINK.C   operations, permissions and policy agree
       spec.py form SPEC               known keys, and every reference leads somewhere
       spec.py schema SPEC SCHEMA      the kernel's JSON schema (needs jsonschema)

Differences are printed, one a line, and make the exit status 1.
"""
import re
import sys

import yaml


class Spec:
    """The specification, with what it leaves implicit made explicit."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.yaml = yaml.safe_load(file)
        self.name = self.yaml["name"]
        definitions = self.yaml["definitions"]
        self.consts = {self.upper(d["name"]): d["value"]
                       for d in definitions if d["type"] == "const"}
        self.structs = {self.lower(d["name"]): d["members"]
                        for d in definitions if d["type"] == "struct"}
        self.enums = {self.lower(d["name"]): self.enum(d)
                      for d in definitions if d["type"] in ("enum", "flags")}
        (attributes,) = self.yaml["attribute-sets"]
        self.attribute_enum = c_name(attributes["enum-name"])
        self.attributes = {}
        value = 0
        for attribute in attributes["attributes"]:
            value = attribute.get("value", value + 1)
            self.attributes[attribute["name"]] = dict(attribute, value=value)
        self.attribute_prefix = c_name(attributes["name-prefix"]).upper()
        operations = self.yaml["operations"]
        self.operations = {op["name"]: op for op in operations["list"]}
        self.operation_enum = c_name(operations["enum-name"])
        self.operation_prefix = c_name(operations["name-prefix"]).upper()

    def upper(self, name):
        return c_name(self.name + "-" + name).upper()

    def lower(self, name):
        return c_name(self.name + "-" + name)

    @staticmethod
    def enum(definition):
        """Enumerators and their values."""
        values = {}
        flags = definition["type"] == "flags"
        for i, entry in enumerate(definition["entries"], definition.get("value-start", 0)):
            entry = entry if isinstance(entry, dict) else {"name": entry}
            i = entry.get("value", i)
            name = c_name(definition["name-prefix"] + entry["name"]).upper()
            values[name] = 1 << i if flags else i
        return values

    def attribute(self, name):
        return self.attribute_prefix + c_name(name).upper()

    def operation(self, name):
        return self.operation_prefix + c_name(name).upper()

    def value(self, op):
        """The number of an operation's message to the kernel, or of the event."""
        return op["value"] if "event" in op else op["do"]["request"]["value"]

    def requested(self):
        """The attributes that the kernel is sent."""
        names = set()
        for op in self.operations.values():
            for mode in ("do", "dump"):
                names |= set(op.get(mode, {}).get("request", {}).get("attributes", []))
        return names

    def struct_size(self, struct):
        return sum(int(m["type"][1:]) // 8 for m in self.structs[struct])


def c_name(name):
    return name.replace("-", "_")


# --- the header ---------------------------------------------------------------------

def asserts(spec):
    """C that compiles only if every number of the specification is the header's."""
    def equal(name, value):
        print(f'_Static_assert({name} == {value}, "{name} is not {value}");')

    def equal_string(name, value):
        print(f'_Static_assert(sizeof({name}) == sizeof("{value}") &&')
        print(f'\t!__builtin_memcmp({name}, "{value}", sizeof("{value}")),')
        print(f'\t"{name} is not {value}");')

    print("#include <stddef.h>")
    print(f"#include <{spec.yaml['uapi-header']}>")
    equal_string(c_name(spec.yaml["c-family-name"]).upper(), spec.name)
    equal(c_name(spec.yaml["c-version-name"]).upper(), spec.yaml["version"])
    for group in spec.yaml["mcast-groups"]["list"]:
        equal_string(c_name(group["c-define-name"]).upper(), group["name"])
    for name, value in spec.consts.items():
        (equal if isinstance(value, int) else equal_string)(name, value)
    for values in spec.enums.values():
        for name, value in values.items():
            equal(name, value)
    for name, attribute in spec.attributes.items():
        equal(spec.attribute(name), attribute["value"])
    equal(spec.attribute("max"), max(a["value"] for a in spec.attributes.values()))
    for name, op in spec.operations.items():
        equal(spec.operation(name), spec.value(op))
        for mode in ("do", "dump"):
            if "reply" in op.get(mode, {}):
                equal(spec.operation("get"), op[mode]["reply"]["value"])
    equal(spec.operation("max"), max(spec.value(op) for op in spec.operations.values()))
    for struct, members in spec.structs.items():
        offset = 0
        for member in members:
            where = f"{struct}, {c_name(member['name'])}"
            kind = f"((struct {struct} *)0)->{c_name(member['name'])}"
            equal(f"offsetof(struct {where})", offset)
            equal(f"__builtin_types_compatible_p(__typeof__({kind}), __{member['type']})", 1)
            offset += int(member["type"][1:]) // 8
        equal(f"sizeof(struct {struct})", offset)
    return []


def header(spec, path):
    """What the header has and the specification has not."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    known = set(spec.consts)
    for values in spec.enums.values():
        known |= set(values)
    known |= {spec.attribute(name) for name in spec.attributes}
    known |= {spec.operation(name) for name in spec.operations}
    known |= {c_name(spec.yaml[key]).upper() for key in ("c-family-name", "c-version-name")}
    known |= {c_name(g["c-define-name"]).upper() for g in spec.yaml["mcast-groups"]["list"]}
    # What every such enum has, and what only C can say.
    known |= {spec.operation("unspec")}
    for prefix in (spec.attribute_prefix, spec.operation_prefix):
        known |= {prefix + "MAX", "__" + prefix + "MAX"}
    known |= {"_UAPI_LINUX_CDRIVE_H", "CDRIVE_PAYLOAD_OFFSET"}
    # The payload device's calls are not netlink's.
    known |= set(re.findall(r"^#define\s+(CDRIVE_PAYLOAD_\w+)\s+_IOW?R?\(", text, flags=re.M))

    names = set(re.findall(r"^#define\s+(\w+)", text, flags=re.M))
    enums = dict(re.findall(r"enum (\w+) \{(.*?)\}", text, flags=re.S))
    for body in enums.values():
        names |= set(re.findall(r"(?:^|,)\s*(\w+)", body))
    found = [f"{path}: {name} is not in the specification" for name in sorted(names - known)]
    ours = set(spec.enums) | {spec.attribute_enum, spec.operation_enum}
    found += [f"{path}: enum {name} is in one of the two only" for name in sorted(set(enums) ^ ours)]
    structs = set(re.findall(r"struct (?!cdrive_payload_|cdrive_completion)(\w+) \{", text))
    found += [f"{path}: struct {name} is in one of the two only"
              for name in sorted(structs ^ set(spec.structs))]
    return found


# --- the driver ---------------------------------------------------------------------

def fields(text):
    """The designated initialisers of a C initialiser."""
    return dict(re.findall(r"\.(\w+)\s*=\s*([^,{}]+)", text))


def table(text, name):
    """The initialiser of an array or structure of that name."""
    match = re.search(rf"\b{name}\b[^;]*?=\s*(\{{.*?\n?\}});", text, flags=re.S)
    if not match:
        sys.exit(f"spec.py: no {name} in the driver")
    return match.group(1)


def evaluate(spec, expression):
    """A constant expression of the names that the specification defines."""
    values = dict(spec.consts, S64_MAX=(1 << 63) - 1)
    for enum in spec.enums.values():
        values.update(enum)
    expression = re.sub(r"sizeof\(struct (\w+)\)",
                        lambda m: str(spec.struct_size(m.group(1))), expression)
    expression = re.sub(r"\b[A-Z]\w+", lambda m: str(values[m.group(0)]), expression)
    if not re.fullmatch(r"[\s\d()+*|<-]+", expression):
        sys.exit(f"spec.py: can't evaluate {expression}")
    return eval(f"({expression})")  # pylint: disable=eval-used


def expected_checks(spec, attribute):
    checks = dict(attribute.get("checks", {}))
    if "flags-mask" in checks:
        enum = spec.enums[spec.lower(checks.pop("flags-mask"))]
        checks["mask"] = sum(enum.values())
    if isinstance(checks.get("max-len"), str):
        checks["max-len"] = spec.consts[spec.upper(checks["max-len"])]
    return checks


def policy_checks(spec, text, entry):
    """Type and checks of a policy's entry, in the specification's words."""
    macro = re.match(r"NLA_POLICY_(\w+)\((\w+),\s*(.*)\)$", entry, flags=re.S)
    if not macro:
        found = fields(entry)
        checks = {"max-len": evaluate(spec, found["len"])} if "len" in found else {}
        return found["type"].strip(), checks
    kind, nla, argument = macro.groups()
    if kind == "FULL_RANGE":
        limits = fields(table(text, argument.lstrip("&")))
        return nla, {key: evaluate(spec, limits.get(key, "0")) for key in ("min", "max")}
    if kind == "VALIDATE_FN":  # what it looks at, only prose can say
        return nla, {"max-len": evaluate(spec, argument.split(",")[1].strip())}
    return nla, {kind.lower(): evaluate(spec, argument)}


def driver(spec, path):
    """What the driver's operations and policy do differently."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    found = []

    ops = {}
    for entry in re.findall(r"\{([^{}]*)\}", table(text, "cdrive_nl_ops")):
        op = fields(entry)
        ops[op["cmd"].strip()] = op
    for name, op in spec.operations.items():
        code = ops.pop(spec.operation(name), None)
        if "event" in op:
            if code:
                found.append(f"{path}: {name} is an event, and has a handler")
            continue
        if not code:
            found.append(f"{path}: {name} has no handler")
            continue
        if ("do" in op, "dump" in op) != ("doit" in code, "dumpit" in code):
            found.append(f"{path}: {name} differs in do and dump")
        admin = "GENL_ADMIN_PERM" in code.get("flags", "")
        if admin != ("admin-perm" in op.get("flags", [])):
            found.append(f"{path}: {name} differs in admin-perm")
        if admin != (name in ("attach", "adopt")):
            found.append(f"{path}: {name}: who has a drive already needs no permission")
    found += [f"{path}: {cmd} is not in the specification" for cmd in ops]

    policy = dict(re.findall(r"\[(\w+)\] = (.*?),\n(?=\t\[|\})",
                             table(text, "cdrive_nl_policy"), flags=re.S))
    for name in sorted(spec.requested()):
        attribute = spec.attributes[name]
        entry = policy.pop(spec.attribute(name), None)
        if entry is None:
            found.append(f"{path}: no policy for {name}, which is sent to the kernel")
            continue
        kind = "NUL_STRING" if attribute["type"] == "string" else attribute["type"].upper()
        expected = ("NLA_" + kind, expected_checks(spec, attribute))
        actual = policy_checks(spec, text, entry)
        if actual != expected:
            found.append(f"{path}: policy of {name} is {actual}, not {expected}")
    found += [f"{path}: a policy for {name}, which nobody sends" for name in policy]

    for name, attribute in spec.attributes.items():
        limit = spec.consts["CDRIVE_MAX_DRIVES"] - 1
        if name == "index" and attribute["checks"]["max"] != limit:
            found.append(f"index: its largest value is not {limit}")
    return found


# --- the form -----------------------------------------------------------------------

# The keys of the kernel's schema (Documentation/netlink/genetlink-legacy.yaml)
# that there is a use for here, by the place in the specification.
KEYS = {
    "": "name protocol version c-family-name c-version-name uapi-header kernel-policy doc"
        " definitions attribute-sets operations mcast-groups",
    "definitions": "type name doc value name-prefix entries members",
    "entries": "name doc value",
    "members": "name type doc enum",
    "attribute-sets": "name name-prefix enum-name doc attributes",
    "attributes": "name type doc value enum enum-as-flags struct checks",
    "checks": "min max flags-mask max-len",
    "operations": "enum-model name-prefix enum-name list",
    "operations/list": "name doc value attribute-set flags do dump event mcgrp",
    "do": "request reply",
    "dump": "request reply",
    "request": "value attributes",
    "reply": "value attributes",
    "event": "attributes",
    "mcast-groups": "list",
    "mcast-groups/list": "name c-define-name",
}


def unknown_keys(node, place, path):
    """Keys that no place of that kind has; lists of names are left alone."""
    if isinstance(node, list):
        for item in node:
            yield from unknown_keys(item, place, path)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key not in KEYS[place].split():
            yield f"{path}{key}: no such key there"
            continue
        below = f"{place}/list" if key == "list" else key
        if below in KEYS:
            yield from unknown_keys(value, below, f"{path}{key}/")


def broken_references(spec):
    definitions = {d["name"] for d in spec.yaml["definitions"]}
    structs = spec.structs.values()
    for item in [*spec.attributes.values(), *[m for members in structs for m in members]]:
        checks = item.get("checks", {})
        named = [item.get("enum"), item.get("struct"), checks.get("flags-mask"),
                 checks.get("max-len")]
        for name in named:
            if isinstance(name, str) and name not in definitions:
                yield f"{item['name']}: nothing is called {name}"
    groups = {g["name"] for g in spec.yaml["mcast-groups"]["list"]}
    sets = {s["name"] for s in spec.yaml["attribute-sets"]}
    for name, op in spec.operations.items():
        if op["attribute-set"] not in sets:
            yield f"{name}: no attribute set {op['attribute-set']}"
        if op.get("mcgrp", "state") not in groups:
            yield f"{name}: no group {op['mcgrp']}"
        messages = [op.get("event", {})]
        for mode in ("do", "dump"):
            messages += op.get(mode, {}).values()
        for message in messages:
            for attribute in message.get("attributes", []):
                if attribute not in spec.attributes:
                    yield f"{name}: no attribute {attribute}"


def form(spec):
    return [*unknown_keys(spec.yaml, "", ""), *broken_references(spec)]


def schema(spec, path):
    import jsonschema  # pylint: disable=import-outside-toplevel
    with open(path, encoding="utf-8") as file:
        validator = jsonschema.Draft7Validator(yaml.safe_load(file))
    return [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(spec.yaml)]


def main():
    commands = {"asserts": asserts, "header": header, "driver": driver, "form": form,
                "schema": schema}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    found = commands[sys.argv[1]](Spec(sys.argv[2]), *sys.argv[3:])
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


main()
