#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154  # shared with tests/vm/lib.sh
# quick
#
# create and delete on a real server, and what they say to bad input. Needs Azurite.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

start_azurite
add_secret "$azurite_key"
key=$tmp/key
echo "$azurite_key" >"$key"
container=$(new_container)
base=$azurite_url/$container
connection=$AZURE_STORAGE_CONNECTION_STRING

# For the tools, not for clouddrivectl, which is to use what it is given.
tool() {
	AZURE_STORAGE_CONNECTION_STRING=$connection blobtool "$@"
}
unset AZURE_STORAGE_CONNECTION_STRING

size_of() {
	tool props "$container/$1" | jq -r '"\(.blobType) \(.contentLength)"'
}

# --- that it works ----------------------------------------------------------------------

reports "^$base/disk: 64M, raw, 0 pages written in 1 transaction$" "create" create "$base/disk" --size 64M --format raw --fs none --key-file "$key"
is "$(size_of disk)" "PageBlob 67108864" "a page blob of that size"
is "$(tool pages "$container/disk")" "" "that holds nothing"
reports "^$base/dir/disk%202: 512, raw" "a blob of one page" \
	create "$base/dir/disk%202" --size 512 --format raw --fs none --key-file "$key"
is "$(size_of 'dir/disk 2')" "PageBlob 512" "a name with a slash and a blank"
"$ctl" create "$base/stdin" --size 1M --format raw --fs none --json --key-file - <"$key" >"$tmp/stdout" 2>&1
is "$?" 0 "the key from standard input"
is "$(jq -c '[.url, .size, .blob_size, .fs, .transactions]' "$tmp/stdout")" \
	"[\"$base/stdin\",1048576,1048576,\"none\",1]" "create --json"
AZURE_STORAGE_KEY=$azurite_key "$ctl" create "$base/environment" --size 1M --format raw --fs none >/dev/null
is "$?" 0 "the key from AZURE_STORAGE_KEY"
AZURE_STORAGE_CONNECTION_STRING=$connection "$ctl" delete "$base/environment"
is "$?" 0 "the key from AZURE_STORAGE_CONNECTION_STRING"

sas=$(tool sas "$container" rwcd 600)
add_secret "$(echo "$sas" | sed -n 's/.*sig=\([^&]*\).*/\1/p')"
reports "^$base/sas: 1M" "a SAS in the URL" create "$base/sas?$sas" --size 1M --format raw --fs none
AZURE_STORAGE_SAS_TOKEN=$sas "$ctl" delete "$base/sas"
is "$?" 0 "a SAS in AZURE_STORAGE_SAS_TOKEN"

# --- what is there and what isn't ----------------------------------------------------------

rejected 1 "create: $base/disk: exists already .*; choose another name" "a blob that exists" \
	create "$base/disk" --size 1M --format raw --fs none --key-file "$key"
is "$(size_of disk)" "PageBlob 67108864" "which stays as it was"
rejected 3 "no such container .*; create the container" "no such container" \
	create "$azurite_url/nowhere/disk" --size 1M --format raw --fs none --key-file "$key"
rejected 3 "no such (blob|container)" "delete: no such container" \
	delete "$azurite_url/nowhere/disk" --key-file "$key"
rejected 3 "no such blob" "delete: no such blob" delete "$base/nothing" --key-file "$key"
echo text | tool put-block-blob /dev/stdin "$container/text"
rejected 1 "exists already" "create over a block blob" create "$base/text" --size 1M --format raw --fs none --key-file "$key"

# --- who may -----------------------------------------------------------------------------------

wrong_key >"$tmp/wrong"
add_secret "$(cat "$tmp/wrong")"
rejected 4 "not authorised .*; check the account key" "a wrong key" \
	create "$base/new" --size 1M --format raw --fs none --key-file "$tmp/wrong"
rejected 4 "not authorised" "delete with a wrong key" delete "$base/disk" --key-file "$tmp/wrong"
rejected '[34]' . "no such account" create "${azurite_url%/*}/otheraccount/$container/new" --size 1M --format raw --fs none \
	--key-file "$key"
expired=$(tool sas "$container" rwcd -60)
add_secret "$(echo "$expired" | sed -n 's/.*sig=\([^&]*\).*/\1/p')"
rejected 4 "the SAS has expired; make a new SAS" "an expired SAS" create "$base/new?$expired" --size 1M --format raw --fs none
rejected 4 "the SAS has expired" "delete with an expired SAS" delete "$base/disk?$expired"
reader=$(tool sas "$container" r 600)
rejected 4 "not authorised" "a SAS that may only read" create "$base/new?$reader" --size 1M --format raw --fs none
rejected 4 "not authorised" "a SAS with a wrong signature" \
	create "$base/new?$(echo "$sas" | sed 's/sig=[^&]*/sig=SECRET/')" --size 1M --format raw --fs none
tool props "$container/new" >/dev/null 2>&1
is "$?" 1 "none of them made a blob"

# --- leases and snapshots ------------------------------------------------------------------------

lease=$(tool acquire-lease "$container/disk")
rejected 5 "leased by another client .*; unmount it there" "a leased blob" \
	delete "$base/disk" --key-file "$key"
tool break-lease "$container/disk"
[ "$lease" ]
ok $? "(it was leased)"
tool snapshot "$container/disk" >"$tmp/snapshot"
rejected 1 "has snapshots .*--snapshots" "a blob with snapshots" delete "$base/disk" --key-file "$key"
done_quietly "delete --snapshots" delete "$base/disk" --snapshots --key-file "$key"
done_quietly "delete" delete "$base/stdin" --key-file "$key"
is "$(tool list "$container")" "dir/disk 2
text" "what is left"

# --- what others can see while it runs ------------------------------------------------------------

start_server hang
AZURE_STORAGE_KEY=$azurite_key "$ctl" create "$server_url?sv=2021-12-02&sr=c&sp=rw&sig=SECRET" --size 1M --format raw --fs none \
	>/dev/null 2>&1 &
pid=$!
at_exit "kill $pid 2>/dev/null"
connected() {
	find "/proc/$pid/fd" -lname 'socket:*' | grep -q .
}
wait_for 20 connected
tr '\0' ' ' <"/proc/$pid/cmdline" >"$tmp/stdout"
grep -q "$server_url" "$tmp/stdout" && ! grep -q -e SECRET -e sig= "$tmp/stdout"
ok $? "the command line holds no SAS"
cp "/proc/$pid/environ" "$tmp/stderr" 2>/dev/null || : >"$tmp/stderr"
! grep -q -F "$azurite_key" "$tmp/stderr"
ok $? "the environment holds no key"
kill "$pid"
wait "$pid" 2>/dev/null
stop_server

plan
