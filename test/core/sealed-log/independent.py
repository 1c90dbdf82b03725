"""A second verifier of exported audit logs, written from docs/audit.md alone. It shares no code with the first.

usage: independent.py DIR   ->   one line of JSON: {"size", "root", "records", "checkpoints", "cosignatures"}; exit code 1 on any fault

Signatures are checked where the `cryptography` package is there; otherwise `signatures` says "skipped".
"""

import base64
import gzip
import hashlib
import json
import os
import re
import sys


def sha(data):
    return hashlib.sha256(data).digest()


def mth(hashes):
    """RFC 6962 section 2.1 over leaf hashes, by its definition."""
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return sha(b"\x01" + mth(hashes[:k]) + mth(hashes[k:]))


def need(condition, what):
    if not condition:
        raise SystemExit(json.dumps({"fault": what}))


def canonical(text):
    """Good enough for our records: members sorted by UTF-16 code units, no spaces, and numbers that are integers."""
    value = json.loads(text)

    def write(v):
        if isinstance(v, dict):
            keys = sorted(v, key=lambda k: k.encode("utf-16-be"))
            return "{" + ",".join(json.dumps(k, ensure_ascii=False) + ":" + write(v[k]) for k in keys) + "}"
        if isinstance(v, list):
            return "[" + ",".join(write(x) for x in v) + "]"
        if isinstance(v, float):
            return None
        return json.dumps(v, ensure_ascii=False)

    try:
        return write(value)
    except TypeError:
        return None


def verifier(keys):
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None

    def check(name, kind, key_id, signature, message):
        key = keys.get(key_id)
        if key is None or key[0] != name or key[2] != kind:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(key[1]).verify(signature, message)
            return True
        except Exception:
            return False

    return check


def main(folder):
    def read(name):
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    keys = {}
    for name in os.listdir(os.path.join(folder, "audit/keys")):
        key = json.loads(read("audit/keys/" + name))
        raw = base64.b64decode(key["public_key"])
        # What a key is for stands in the byte before it: 1 signs checkpoints, 4 cosigns them.
        kind = base64.b64decode(key["verifier_key"].split("+", 2)[2])[:1]
        need(kind in (b"\x01", b"\x04"), "kind of key " + name)
        key_id = sha(key["name"].encode() + b"\n" + kind + raw)[:4].hex()
        need(name == key_id + ".json" == key["key_id"] + ".json", "key " + name)
        shown = base64.b64encode(kind + raw).decode()
        need(key["verifier_key"] == "%s+%s+%s" % (key["name"], key_id, shown), "verifier key " + name)
        keys[key_id] = (key["name"], raw, kind)
    check = verifier(keys)

    sizes = sorted(int(name) for name in os.listdir(os.path.join(folder, "audit/checkpoints")))
    leaves = []
    hashes = []
    previous = bytes(32)
    for size in sizes:
        text = read("audit/checkpoints/%d" % size)
        body, _, signatures = text.rpartition(b"\n\n")
        body += b"\n"
        lines = body.decode().split("\n")
        need(int(lines[1]) == size, "size of checkpoint %d" % size)
        span, segment_hash = re.fullmatch(r"segment (\S+) (\S+)", lines[5]).groups()
        first, last = map(int, span.split("-"))
        need(first == len(leaves) + 1 and last == size, "segment of checkpoint %d" % size)
        name = "audit/segments/%s.jsonl.gz" % span
        packed = read(name)
        need(base64.b64encode(sha(packed)).decode() == segment_hash, name)
        records = gzip.decompress(packed).split(b"\n")[:-1]
        need(len(records) == last - first + 1, name)
        for at, record in enumerate(records):
            again = canonical(record.decode())
            need(again is None or again.encode() == record, "canonical form of record %d" % (first + at))
            leaf = (
                '{"event_id":"%s","previous_event_hash":"sha256:%s","record_hash":"sha256:%s","sequence":%d,"v":1}'
                % (json.loads(record)["event_id"], previous.hex(), sha(record).hex(), first + at)
            ).encode()
            previous = sha(b"\x00" + leaf)
            leaves.append(leaf)
            hashes.append(previous)
        need(base64.b64encode(mth(hashes)).decode() == lines[2], "root of checkpoint %d" % size)
        need("chain " + base64.b64encode(previous).decode() == lines[4], "chain of checkpoint %d" % size)
        for line in signatures.decode().strip("\n").split("\n"):
            dash, signer, blob = line.split(" ")
            need(dash == "\u2014" and signer == lines[0], "signer of checkpoint %d" % size)
            if check is not None:
                raw = base64.b64decode(blob)
                good = check(signer, b"\x01", raw[:4].hex(), raw[4:], body)
                need(good, "signature of checkpoint %d" % size)

    cosigned = 0
    folders = os.path.join(folder, "audit/cosignatures")
    for size in sorted(map(int, os.listdir(folders))) if os.path.isdir(folders) else []:
        need(size in sizes, "cosignatures of %d" % size)
        body = read("audit/checkpoints/%d" % size).rpartition(b"\n\n")[0] + b"\n"
        for key_id in os.listdir(os.path.join(folders, str(size))):
            what = "cosignature of checkpoint %d by %s" % (size, key_id)
            line = read("audit/cosignatures/%d/%s" % (size, key_id)).decode()
            need(line.endswith("\n") and line.count("\n") == 1, what)
            dash, witness, blob = line[:-1].split(" ")
            raw = base64.b64decode(blob)
            need(dash == "\u2014" and len(raw) == 76 and raw[:4].hex() == key_id, what)
            message = b"cosignature/v1\ntime %d\n" % int.from_bytes(raw[4:12], "big") + body
            if check is not None:
                need(check(witness, b"\x04", key_id, raw[12:], message), what)
            cosigned += 1

    need(read("audit-head/checkpoint") == read("audit/checkpoints/%d" % sizes[-1]), "head")
    for index in range(0, len(leaves), 256):
        row = leaves[index : index + 256]
        digits = "%03d" % (index // 256)
        partial = "" if len(row) == 256 else ".p/%d" % len(row)
        entries = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in row)
        need(read("audit/tile/entries/" + digits + partial) == entries, "entries " + digits)
        need(read("audit/tile/0/" + digits + partial) == b"".join(hashes[index : index + 256]), "tile " + digits)

    print(
        json.dumps(
            {
                "size": len(leaves),
                "root": base64.b64encode(mth(hashes)).decode(),
                "checkpoints": len(sizes),
                "cosignatures": cosigned,
                "signatures": "skipped" if check is None else "checked",
            }
        )
    )


main(sys.argv[1])
