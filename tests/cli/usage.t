#!/bin/sh
# SPDX-License-Identifier: MIT
# quick
#
# What clouddrivectl says about itself, and to command lines that are wrong. Needs
# no server.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

make_tmp
verbs='create mount unmount list status upload download delete init-cache warm'
url=https://account.blob.core.windows.net/disks/disk

# --- help --------------------------------------------------------------------------

ctl
is "$got" 2 "without a verb: status 2"
for verb in $verbs; do
	grep -q "clouddrivectl $verb " "$tmp/stdout"
	ok $? "without a verb: tells about $verb"
done
ctl --help
is "$got" 0 "--help: status 0"
ctl --version
is "$got $(cat "$tmp/stdout")" "0 clouddrivectl $(sed -n 's/^VERSION := //p' Makefile)" "--version"

# A verb's help is complete when every option its table takes is in it, and in the
# man page and the completion.
options_of() {
	sed -n 's/.*\(FLAG\|TEXT\|SIZE\|NUMBER\)("\([a-z-]*\)".*/--\2/p' "helper/ctl/$1.c"
	! grep -q SESSION_OPTIONS "helper/ctl/$1.c" || printf '%s\n' --key-file --allow-http
}

for verb in $verbs; do
	ctl "$verb" --help
	is "$got" 0 "$verb --help: status 0"
	[ ! -s "$tmp/stderr" ] && grep -q "^usage: clouddrivectl $verb" "$tmp/stdout" &&
		grep -q '^Example' "$tmp/stdout" && grep -q '^Exit status: 0' "$tmp/stdout"
	ok $? "$verb --help: usage, examples, exit statuses"
	for option in $(options_of "$(echo "$verb" | tr - _)"); do
		grep -q -e "$option" "$tmp/stdout"
		ok $? "$verb --help: $option"
		sed 's/\\-/-/g' Documentation/man/clouddrivectl.8 Documentation/man/clouddrivectl-cache.8 | grep -q -e "${option#--}"
		ok $? "man page: $option"
		grep -q -e "$option" scripts/completion/clouddrivectl
		ok $? "completion: $option"
	done
done
ctl mount "$url" --no-such-thing --help
is "$got" 0 "--help wins over what else is wrong"

# --- verbs and options ---------------------------------------------------------------

rejected 2 'frob: no such verb; see clouddrivectl --help' "unknown verb" frob
rejected 2 'URL: no such verb' "a URL for a verb" "$url?sig=SECRET"
rejected 2 '-x: no such verb' "an option for a verb" -x
for verb in $verbs; do
	rejected 2 "^clouddrivectl: $verb: --frob: no such option; see clouddrivectl $verb --help$" \
		"$verb: unknown option" "$verb" --frob
done
for verb in create mount delete; do
	rejected 2 "$verb: URL: missing" "$verb without a URL" "$verb"
done
for verb in unmount status snapshot warm; do
	rejected 2 "$verb: DRIVE: missing" "$verb without a drive" "$verb"
done
rejected 2 'list: .*one argument too many' "list with an argument" list /dev/cdrive0
rejected 2 "create: $url: one argument too many" "an argument too many" \
	create "$url" "$url?sig=SECRET" --size 64M
rejected 2 '--force: says not which of 2 blobs' "mount --force of several" mount "$url" "$url" --force
rejected 2 'mount: /tmp: one argument too many' "two directories" mount /mnt /tmp
rejected 2 'mount: /tmp: one argument too many' "a URL and two directories" mount "$url" /mnt /tmp
rejected 2 '--sas-lifetime: not a number from 10 to 86400' "a SAS too short" mount "$url" --sas-lifetime 9
rejected 2 'account name' "several URLs, one malformed" mount "$url" http://127.0.0.1:1/a/b/c
rejected 2 'agent: not for users; clouddrivectl mount starts it' "agent" agent 9
rejected 2 '--connections: not a number from 1 to 128' "no connections" mount "$url" --connections 0
rejected 2 '--park-limit: neither a number from 1 to 86400 nor none' "a limit that isn't one" mount "$url" --park-limit never
rejected 2 '--park-limit: takes a value' "a limit left out" mount "$url" --park-limit

# --- the cache ------------------------------------------------------------------------

rejected 2 '--size: missing' "a cache without a size" init-cache /tmp
rejected 2 'DIR|DEVICE: missing' "a cache nowhere" init-cache --size 1G
rejected 2 '--off: alone' "a cache that is on and off" init-cache /tmp --size 1G --off
for size in 15M 3T 16777215; do
	rejected 2 '--size: a cache has 16M to 2T' "a cache of $size" init-cache /tmp --size $size
done
rejected 2 'mount: --cache: not a size' "a part of the cache that is no size" mount "$url" --cache 1.5G
for range in 1G 2G-1G 1G-1G -5 x-y 1G-2G-3G; do
	rejected 2 "--range: not two sizes" "to warm \"$range\"" warm "$url" "--range=$range"
done

# --- sizes and formats -----------------------------------------------------------------

rejected 2 '--size: missing' "create without a size" create "$url"
rejected 2 '--size: missing or zero' "a size of zero" create "$url" --size 0
for size in 1.5G 10GB -1 x ''; do
	rejected 2 '--size: not a size' "size \"$size\"" create "$url" --size "$size"
done
rejected 2 '--size: not a multiple of 512' "an odd size" create "$url" --size 1000
rejected 2 '--size: .*8T at most' "more than a blob holds" create "$url" --size 9T --format raw
rejected 2 '--size: too large' "more than a number holds" create "$url" --size 99999999T
rejected 2 '--size: a VHD has 16M to 1T' "a VHD too small" create "$url" --size 15M
rejected 2 '--size: a VHD has 16M to 1T' "a VHD too large" create "$url" --size 1025G
rejected 2 '--format: neither vhd nor raw' "another format" create "$url" --size 64M --format vhdx
rejected 2 '--format: neither vhd nor raw' "another format, by upload" upload x "$url" --format qcow2
rejected 2 '--fs: not ntfs, ext4, xfs or none' "another file system" create "$url" --size 64M --fs fat
rejected 2 '--label: names a file system' "a label for nothing" \
	create "$url" --size 64M --fs none --label x
for fs in 'ext4 12345678901234567' 'xfs 1234567890123' 'ext4 '; do
	rejected 2 '--label: must have 1 to 1[26] bytes' "a label for $fs" \
		create "$url" --size 64M --fs "${fs%% *}" --label "${fs#* }"
done
rejected 2 '--label: holds a control character' "a label of two lines" \
	create "$url" --size 64M --label "a
b"
rejected 2 'upload: URL: missing' "upload without a URL" upload x
rejected 2 'download: FILE: missing' "download without a file" download "$url"
rejected 2 'FILE: must be a file' "download to standard output" download "$url" -
rejected 2 'standard input is the image' "the key and the image from standard input" \
	upload - "$url" --format raw --key-file -

# --- URLs --------------------------------------------------------------------------------

for bad in ftp://account.blob.core.windows.net/disks/disk disks/disk '' https:// https:///disks/disk \
	https://account.blob.core.windows.net https://account.blob.core.windows.net/disks \
	https://account.blob.core.windows.net/Disks/disk https://account.blob.core.windows.net/disks/ \
	https://account.blob.core.windows.net/disks/../disk https://account.blob.core.windows.net:99999/disks/disk \
	"$url?frob=1" "$url%zz" "$url?sv=1" "https://user:SECRET@account.blob.core.windows.net/disks/disk"; do
	rejected 2 'see clouddrivectl create --help$' "malformed URL \"$bad\"" create "$bad" --size 64M
done
rejected 2 'see clouddrivectl mount --help$' "malformed URL of mount" mount https://x
rejected 2 'see clouddrivectl delete --help$' "malformed URL of delete" delete https://x
at="?snapshot=2026-11-20T10:00:00.0000000Z"
rejected 2 "mount: --force: nobody leases a snapshot .*leave it out" "a snapshot, by force" \
	mount "$url$at" --force
rejected 2 "create: .*a snapshot, which can't be changed; give the URL of the blob" "to create a snapshot" \
	create "$url$at" --size 64M
rejected 2 "delete: .*a snapshot, which has no --snapshots; leave that out" "snapshots of a snapshot" \
	delete "$url$at" --snapshots --key-file /dev/null
rejected 2 "mount: --fsck: checks a file system, and --no-fs looks for none; leave one" "--fsck of no file system" \
	mount "$url" --fsck --no-fs
rejected 2 "plain http.*--allow-http" "http to another host" \
	create http://account.blob.core.windows.net/disks/disk --size 64M
rejected 2 "plain http.*--allow-http" "http to another host, by mount" \
	mount "http://192.0.2.1/account/disks/disk?sv=1&sig=SECRET"
rejected 2 "plain http" "http to something that looks like loopback" \
	create http://127.0.0.1.example.com/disks/disk --size 64M

# --- drives that are not there ------------------------------------------------------------

ctl list
is "$got" 0 "list without drives: status 0"
is "$(wc -l <"$tmp/stdout")" 1 "list without drives: the heading only"
ctl list --json
is "$got $(jq -c . "$tmp/stdout")" "0 []" "list --json without drives"
for verb in unmount status warm; do
	rejected 3 "$verb: /dev/cdrive15: not a drive" "$verb of a device that isn't there" \
		"$verb" /dev/cdrive15
	rejected 3 "$verb: /: not a drive" "$verb of another file system" "$verb" /
	rejected 3 "$verb: $url: not mounted on this machine" "$verb of a URL" "$verb" "$url"
	rejected 3 'DRIVE: neither a URL nor a path' "$verb of a name" "$verb" SECRET
	rejected 2 'must begin with https' "$verb of a bad URL" "$verb" "ftp://x?SECRET"
done

# --- credentials ---------------------------------------------------------------------------

rejected 4 'no credential; give --key-file' "no credential" create "$url" --size 64M
rejected 4 'key file /nonexistent: No such file' "no such key file" \
	create "$url" --size 64M --key-file /nonexistent
echo "SECRET not base64" >"$tmp/key"
rejected 4 'does not hold an account key' "not a key" create "$url" --size 64M --key-file "$tmp/key"
: >"$tmp/key"
rejected 4 'does not hold an account key' "an empty key file" create "$url" --size 64M --key-file "$tmp/key"
rejected 4 'does not hold an account key' "no key on standard input" create "$url" --size 64M --key-file -
AZURE_STORAGE_KEY=SECRET/
export AZURE_STORAGE_KEY
rejected 4 'AZURE_STORAGE_KEY' "not a key in the environment" create "$url" --size 64M
unset AZURE_STORAGE_KEY
AZURE_STORAGE_CONNECTION_STRING="AccountName=other;AccountKey=U0VDUkVU"
export AZURE_STORAGE_CONNECTION_STRING
add_secret U0VDUkVU
rejected 4 'is for account "other"' "another account's connection string" create "$url" --size 64M
unset AZURE_STORAGE_CONNECTION_STRING

# --- root, and the module --------------------------------------------------------------------

cp "$ctl" "$tmp/clouddrivectl" && chmod 755 "$tmp" "$tmp/clouddrivectl"
if [ "$(id -u)" = 0 ] && nobody=$(setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$tmp/clouddrivectl" --version 2>&1); then
	as_nobody() {
		setpriv --reuid 65534 --regid 65534 --clear-groups "$tmp/clouddrivectl" "$@"
	}
	for verb in "mount $url" "unmount $url" "status $url"; do
		# shellcheck disable=SC2086  # words
		message=$(as_nobody $verb 2>&1)
		is "$? $message" "1 clouddrivectl: ${verb%% *}: must be root; run it with sudo" \
			"not root: ${verb%% *}"
	done
	as_nobody list >"$tmp/stdout" 2>&1
	is "$?" 0 "not root: list"
else
	skip "not root" "can't become another user: ${nobody-}"
fi

if [ "$(id -u)" != 0 ] || /sbin/modinfo cdrive >/dev/null 2>&1 || [ -e /sys/module/cdrive ]; then
	skip "module missing" "not root, or the module is here"
else
	wrong_key >"$tmp/key"
	rejected 1 "module cdrive not found for kernel .*; install clouddrive-dkms and .*, or build it: .*" "module missing" \
		mount "$url" --key-file "$tmp/key"
fi

# --- a full disk --------------------------------------------------------------------------------

"$ctl" list >/dev/full 2>"$tmp/stderr"
is "$?" 1 "output that can't be written: status 1"
grep -q '^clouddrivectl: list: standard output: .*No space left' "$tmp/stderr"
ok $? "output that can't be written: the message"

plan
