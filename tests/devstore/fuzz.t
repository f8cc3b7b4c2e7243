#!/bin/sh
# SPDX-License-Identifier: MIT
#
# devstore under libFuzzer with address and undefined-behaviour sanitizers: what
# reads requests (fuzz_request.c), and the operations behind it (fuzz_service.c).
# First everything in tests/fuzz/corpus/, then $FUZZ_SECONDS (20) of new inputs
# each; an input takes no longer than 5 s and no more than 1 GiB. FUZZ_SEED (1, so that
# what fails can be run again; 0: another each time) chooses them. What is found is kept
# in build/fuzz/; once its cause is mended, add it to the corpus.

cd "$(dirname "$0")/../.." || exit
. tests/vm/lib.sh

make_tmp
echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { return !d + !n; }' >"$tmp/probe.c"
clang -fsanitize=fuzzer,address -o "$tmp/probe" "$tmp/probe.c" 2>/dev/null ||
	skip_all "no libFuzzer: apt-get install clang libclang-rt-14-dev"

flags='-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all'

# build TARGET: build/fuzz/TARGET
build() {
	objects=$(printf 'build/fuzz/obj/%s.o\n' helper/devstore/*.c helper/devstore/*/*.c | sed 's/\.c\.o$/.o/')
	# shellcheck disable=SC2046,SC2086  # lists of words
	make -s -j2 BUILD=build/fuzz CC=clang HARDEN= CFLAGS="$flags -Wall" \
		$objects build/fuzz/obj/libcd.a "build/fuzz/obj/tests/devstore/$1.o" &&
		clang $flags -fsanitize=fuzzer -o "build/fuzz/$1" "build/fuzz/obj/tests/devstore/$1.o" \
			$objects build/fuzz/obj/libcd.a -Wl,--as-needed $(pkg-config --libs libcurl libcares \
			libcrypto libmicrohttpd libnl-3.0 libnl-genl-3.0 jansson expat uuid) -lm
}

# fuzz TARGET CORPUS
fuzz() {
	if ! build "$1" >"$tmp/build" 2>&1; then
		fail "$1 compiles"
		diag "$(tail -n 20 "$tmp/build")"
		return
	fi
	pass "$1 compiles"
	mkdir -p "build/fuzz/$2" "build/fuzz/found"
	set -- "$1" "tests/fuzz/corpus/$2" "build/fuzz/$2"
	common="-timeout=60 -rss_limit_mb=1024 -max_len=8192 -artifact_prefix=build/fuzz/found/$1."
	# shellcheck disable=SC2086  # a list of words
	FUZZ_DIR=$tmp timeout 120 "build/fuzz/$1" $common "$2"/* >"$tmp/log" 2>&1
	told $? "$1: the $(find "$2" -type f | wc -l) inputs of the corpus"
	# shellcheck disable=SC2086
	FUZZ_DIR=$tmp timeout $((${FUZZ_SECONDS:-20} + 60)) "build/fuzz/$1" $common \
		-dict=tests/fuzz/words.dict -max_total_time="${FUZZ_SECONDS:-20}" -seed="${FUZZ_SEED:-1}" \
		-print_final_stats=1 "$3" "$2" >"$tmp/log" 2>&1
	told $? "$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$tmp/log") new inputs"
}

# told STATUS NAME
told() {
	ok "$1" "$2"
	[ "$1" = 0 ] || diag "$(grep -Ev '^(#|INFO:|Dictionary:)' "$tmp/log" | tail -n 60)"
}

plan 6
fuzz fuzz_request request
fuzz fuzz_service service
