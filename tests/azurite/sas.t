#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Shared access signatures that az_sas_sign() makes of the account key, and those of
# stored access policies, on Azurite and on devstore, whose verifiers were not
# written by who wrote the signer: good for what they say, and for nothing else.

cd "$(dirname "$0")/../.." || exit
. tests/vm/lib.sh

[ -d tests/node_modules/azurite ] || bail_out "no Azurite: run scripts/setup"
make_tmp

make -s build/clouddrivectl build/obj/libcd.a || bail_out "it does not compile"
# shellcheck disable=SC2046  # a list of flags
cc -std=gnu11 -D_GNU_SOURCE -g -Wall -Wextra -Werror -Ihelper -o "$tmp/check" \
	tests/azurite/client_check.c build/obj/libcd.a \
	$(pkg-config --libs libcurl libcares libcrypto expat) || bail_out "client_check does not compile"

mib=1048576
head -c 4096 /dev/urandom >"$tmp/data"

# With the account key; then, as a user's machine would, with what the URL says only.
owner() {
	AZURE_STORAGE_CONNECTION_STRING=$connection timeout 60 "$tmp/check" "$@"
}
user() {
	timeout 60 "$tmp/check" "$@" | sed 's/\(40[34]\) .*/\1/'
}
tool() {
	AZURE_STORAGE_CONNECTION_STRING=$connection blobtool "$@"
}

refused='props: 403
put: 403'

# made_here SERVER BLOB: a SAS of BLOB (as it is in URLs) for a drive, and others
made_here() {
	url=$base/$2
	owner "$url" create $mib >/dev/null
	token=$(owner "$url" sas rw 600)
	is "$(user "$url?$token" needs rw , props , lease "$lease" , acquire 60 , renew , raise 4 , \
		put 0 4096 4 "$tmp/data" , get 0 4096 "$tmp/got" , clear 4096 4096 4 , pages , \
		release)" \
		"needs: all there
props: done; type 1, size $mib, sequence number 0, available
acquire: done
renew: done
raise: done; 4
put: done
get: done
clear: done
0 4096
pages: done
release: done" "$1: $2: all that a drive does"
	try "$1: $2: what is read is what was written" cmp "$tmp/got" "$tmp/data"
	is "$(user "$url?$token" delete)" "delete: 403" "$1: $2: no more than that"
	is "$(user "$base/another?$token" props , put 0 512 - "$tmp/data")" "$refused" \
		"$1: $2: not another blob"

	token=$(owner "$url" sas r 600)
	is "$(user "$url?$token" props , put 0 512 - "$tmp/data" , lease "$lease" , acquire 60 , raise 9)" \
		"props: done; type 1, size $mib, sequence number 4, available
put: 403
acquire: 403
raise: 403" "$1: $2: reading only"
	is "$(user "$url?$token" needs rw)" \
		"needs: the SAS lacks the permission write (sp=r); make one with sp=rw" \
		"$1: $2: which is said beforehand"

	token=$(owner "$url" sas rw -60)
	is "$(user "$url?$token" props , put 0 512 - "$tmp/data")" "$refused" "$1: $2: expired"
	is "$(user "$url?$token" needs rw | sed 's/at .* (se)/at TIME (se)/')" \
		"needs: the SAS expired at TIME (se); make a new one" "$1: $2: which is said"

	token=$(owner "$url" sas rw 600 | sed 's/sp=rw/sp=rwd/')
	is "$(user "$url?$token" props , put 0 512 - "$tmp/data")" "$refused" "$1: $2: tampered with"
	token=$(owner "$url" sas d 600)
	is "$(user "$url?$token" delete)" "delete: done" "$1: $2: deleting"
}

# a_snapshot SERVER
a_snapshot() {
	url=$base/snapped
	owner "$url" create $mib , put 0 4096 - "$tmp/data" >/dev/null
	at=$(tool snapshot "$container/snapped")
	token=$(owner "$url?snapshot=$at" sas r 600)
	is "$(user "$url?snapshot=$at&$token" needs r , get 0 4096 "$tmp/got")" "needs: all there
get: done" "$1: a snapshot's"
}

# a_policy SERVER: the SAS names the policy, which alone says what may be done
a_policy() {
	url=$base/disk
	owner "$url" create $mib >/dev/null
	for of in "$container" "$container/disk"; do
		tool set-policy "$container" drives rw 600
		token=$(tool policy-sas "$of" drives)
		is "$(user "$url?$token" needs rw , props , put 0 4096 - "$tmp/data" , delete)" \
			"needs: all there
props: done; type 1, size $mib, sequence number 0, available
put: done
delete: 403" "$1: a stored access policy on $(echo "$of" | sed 's/^[^/]*/container/')"
		tool set-policy "$container" drives r 600
		is "$(user "$url?$token" needs rw , props , put 0 4096 - "$tmp/data")" \
			"needs: all there
props: done; type 1, size $mib, sequence number 0, available
put: 403" "$1: the policy now says: reading only"
		tool set-policy "$container" others rw 600
		is "$(user "$url?$token" props , put 0 4096 - "$tmp/data")" "$refused" \
			"$1: the policy is gone"
	done
}

lease=aaaaaaaa-0000-4000-8000-000000000001

# on SERVER ENDPOINT
on() {
	connection="DefaultEndpointsProtocol=http;AccountName=$azurite_account;AccountKey=$azurite_key;BlobEndpoint=$2;"
	container=drives
	base=$2/$container
	tool create-container "$container"
	made_here "$1" disk1
	made_here "$1" "a%20b/disk(1)+%C3%A9%25'&%7e.img"
	a_snapshot "$1"
	a_policy "$1"
}

start_azurite
unset AZURE_STORAGE_CONNECTION_STRING
on Azurite "$azurite_url"
stop_azurite

touch "$tmp/serving"
build/clouddrivectl devstore --data "$tmp/data.d" --listen 127.0.0.1:0 \
	--control "$tmp/control" >"$tmp/serving" 2>&1 &
devstore_pid=$!
at_exit 'kill "$devstore_pid" 2>/dev/null'
wait_for 20 grep -q serving "$tmp/serving" || bail_out "devstore: $(cat "$tmp/serving")"
on devstore "$(sed -n 's/^devstore: serving //p' "$tmp/serving")"
kill "$devstore_pid"
wait "$devstore_pid"
is $? 0 "devstore ended when told to"

plan
