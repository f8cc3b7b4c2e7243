#!/bin/sh
# SPDX-License-Identifier: MIT
# quick
#
# init-cache while no drive is mounted: what it makes, changes and refuses. Needs root, and
# a directory that can do O_DIRECT; no server.
# shellcheck disable=SC2154  # tests/cli/lib.sh

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

[ "$(id -u)" = 0 ] || skip_all "not root"
make_tmp
CLOUDDRIVE_CONFIG_DIR=$tmp/etc CLOUDDRIVE_STATE_DIR=$tmp/lib CLOUDDRIVE_RUNTIME_DIR=$tmp/run
export CLOUDDRIVE_CONFIG_DIR CLOUDDRIVE_STATE_DIR CLOUDDRIVE_RUNTIME_DIR
mkdir "$tmp/one" "$tmp/two"
dd if=/dev/zero of="$tmp/one/probe" bs=4096 count=1 oflag=direct 2>/dev/null ||
	skip_all "no O_DIRECT in $tmp"

size_of() {
	stat -c %s "$1"
}

# says PATTERN NAME ARGUMENT...: it succeeds, and says that on standard error
says() {
	says_pattern=$1 says_name=$2
	shift 2
	ctl "$@"
	[ "$got" = 0 ] && grep -q -e "$says_pattern" "$tmp/stderr"
	ok $? "$says_name"
	[ "$got" = 0 ] || show_output
}

rejected 3 'this machine has no cache; make one: clouddrivectl init-cache DIR' "there is none" init-cache
ctl init-cache --json
is "$got $(cat "$tmp/stdout")" "0 null" "there is none: --json"
rejected 3 'nothing to turn off' "there is none to turn off" init-cache --off

# --- a file -----------------------------------------------------------------------------

says "1G, for which the kernel takes up to 2.0M of memory" "made, and what it takes said" \
	init-cache "$tmp/one" --size 1G
cache=$tmp/one/clouddrive.cache
is "$(size_of "$cache")" $(((1 << 30) + (1 << 20))) "it has its size and a header"
[ "$(stat -c %b "$cache")" -lt 100 ]
ok $? "and takes no room before it is used"
is "$(stat -c %a "$cache")" 600 "it is root's alone"
ctl init-cache --json
is "$(jq -c '[.path, .device, .size, .state, .drives]' "$tmp/stdout")" \
	"[\"$cache\",false,1073741824,\"closed\",[]]" "shown: --json"
ctl init-cache
grep -q '^state: *closed, as no drive is mounted$' "$tmp/stdout"
ok $? "shown to people"
made=$(jq -r .uuid "$tmp/etc/cache.conf")
says '2G, for which' "larger" init-cache "$tmp/one" --size 2G
is "$(size_of "$cache") $(jq -r .uuid "$tmp/etc/cache.conf")" "$(((2 << 30) + (1 << 20))) $made" \
	"it is the same, and larger"
says '16M, for which' "smaller" init-cache "$tmp/one/" --size 16M
is "$(size_of "$cache")" $((17 << 20)) "it is smaller"
says 'there is room for' "more than there is room for is said" init-cache "$tmp/one" --size 2T
says '16M, for which' "moved" init-cache "$tmp/two" --size 16M
[ ! -e "$cache" ] && [ -e "$tmp/two/clouddrive.cache" ]
ok $? "it is at the one place, and not at the other any more"
rm "$tmp/two/clouddrive.cache"
says '16M, for which' "made anew where it was lost" init-cache "$tmp/two" --size 16M
is "$(size_of "$tmp/two/clouddrive.cache")" $((17 << 20)) "it is there again"
done_quietly "turned off" init-cache --off
is "$(ls "$tmp/two" "$tmp/etc")" "$(printf '%s:\n\n%s:' "$tmp/etc" "$tmp/two")" "nothing is left"

# --- where it can't be ------------------------------------------------------------------------

rejected 1 "$tmp/nowhere: No such file or directory; name a directory or a block device" \
	"a directory that isn't there" init-cache "$tmp/nowhere" --size 16M
rejected 1 'neither a directory nor a block device' "a file" init-cache "$0" --size 16M
ctl init-cache /proc --size 16M
is "$got $(grep -c ';' "$tmp/stderr")" "1 1" "/proc"
[ ! -e "$tmp/etc/cache.conf" ]
ok $? "nothing is remembered of these"

# --- a configuration that makes no sense --------------------------------------------------------

mkdir -p "$tmp/etc"
echo '{"path": "relative"}' >"$tmp/etc/cache.conf"
rejected 1 "cache.conf: makes no sense; set the cache up anew, or turn it off" "nonsense" init-cache
done_quietly "turned off" init-cache --off
rejected 3 'this machine has no cache' "it is gone" init-cache
plan
