#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Holds tests/uncovered against what scripts/coverage prints, which it reads: says what
# was not run and is not explained, and what is explained and was run. Exits 1 then.
#
# usage: scripts/coverage --show | tests/uncovered.sh

cd "$(dirname "$0")/.." || exit
awk '
	# The function that each line of a file is in.
	function read_source(file,   line, n, name) {
		known[file] = 1
		name = ""
		while ((getline line < file) > 0) {
			n++
			if (line ~ /^[A-Za-z_].*\(/ && line !~ /;$/) {
				name = line
				sub(/\(.*/, "", name)
				sub(/.*[ *]/, "", name)
				defined[file ":" name] = 1
			}
			at[file ":" n] = name
		}
	}
	FILENAME == "tests/uncovered" {
		if ($0 ~ /^driver\//) {
			allowed[$1] = $2
			split($1, part, ":")
			if (!(part[1] in known))
				read_source(part[1])
			if (!($1 in defined))
				bad[++n_bad] = $1 ": in tests/uncovered, but not in the driver"
		}
		next
	}
	/^all / {
		seen = 1
		print
	}
	/^driver\/[a-z]*\.[ch]:[0-9]+:/ {
		split($0, part, ":")
		if (!(part[1] in known))
			read_source(part[1])
		where = part[1] ":" at[part[1] ":" part[2]]
		count[where]++
		if (!(where in allowed))
			bad[++n_bad] = $0 ": not run, and not in tests/uncovered"
	}
	END {
		if (!seen)
			bad[++n_bad] = "no coverage was told"
		for (where in allowed) {
			if (allowed[where] && count[where] > allowed[where])
				bad[++n_bad] = where ": " count[where] " lines were not run, more than tests/uncovered says"
			if (seen && allowed[where] && !count[where])
				bad[++n_bad] = where ": all was run: take it out of tests/uncovered"
		}
		for (i = 1; i <= n_bad; i++)
			print bad[i]
		exit n_bad > 0
	}' tests/uncovered -
