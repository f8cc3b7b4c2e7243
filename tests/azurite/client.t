#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each call of helper/azure/blob.h against Azurite, with an account key and with a
# SAS, over http and https, and each way that a user gets it wrong. What was
# written is read back by @azure/storage-blob.

cd "$(dirname "$0")/../.." || exit
. tests/vm/lib.sh

[ -d tests/node_modules/azurite ] || bail_out "no Azurite: run scripts/setup"
make_tmp

make -s build/obj/libcd.a || bail_out "the client does not compile"
# shellcheck disable=SC2046  # a list of flags
cc -std=gnu11 -D_GNU_SOURCE -g -Wall -Wextra -Werror -Ihelper -o "$tmp/check" \
	tests/azurite/client_check.c build/obj/libcd.a \
	$(pkg-config --libs libcurl libcares libcrypto expat) || bail_out "client_check does not compile"

start_azurite
container=$(new_container) || bail_out "no container"
connection=$AZURE_STORAGE_CONNECTION_STRING
lease=aaaaaaaa-0000-4000-8000-000000000001
another=bbbbbbbb-0000-4000-8000-000000000002

# says EXPECTED NAME URL COMMAND...: client_check with the account key prints
# EXPECTED, whose last line is its exit status
says() {
	says_expected=$1
	says_name=$2
	shift 2
	is "$(timeout 60 "$tmp/check" "$@" 2>"$tmp/stderr"
		echo "exit $?")" "$says_expected" "$says_name"
}

# the_same BLOB FILE NAME: @azure/storage-blob reads from BLOB what FILE holds
the_same() {
	blobtool download "$1" "$tmp/download" && cmp "$tmp/download" "$2"
	ok $? "$3"
}

# a SAS for BLOB or CONTAINER as the query of a URL
sas() {
	blobtool sas "$@"
}

mib=1048576
head -c $((8 * mib)) /dev/urandom >"$tmp/data"

# --- all calls -----------------------------------------------------------------------

# all_calls NAME URL: the life of a blob. The first read is counted twice, as it
# finds out that the server has no CRC64. (Azurite doesn't join ranges.)
all_calls() {
	says "create: done
create: 409 BlobAlreadyExists; choose another name, or delete that blob first (1)
props: done; type 1, size 8388608, sequence number 0, available
pages: done
acquire: done
acquire: done
renew: done
raise: done; 7
raise: done; 7
put: done
put: done
put: done
get: done
get: done
clear: done
0 512
512 512
1024 3072
2097152 3145728
pages: done
props: done; type 1, size 8388608, sequence number 7, leased
release: done
stats: 19 calls, 3 reads, 3 writes, 1 clears, 2 lists, 10 others, 1 failed
exit 1" "$1: all calls" "$2" \
		create $((8 * mib)) , create $((8 * mib)) , props , pages , \
		lease $lease , acquire 60 , acquire 60 , renew , raise 7 , raise 3 , \
		put 0 4096 7 "$tmp/data" , \
		put $mib $((4 * mib)) 7 "$tmp/data" , \
		put 512 512 - "$tmp/data" , \
		get 0 4096 "$tmp/got" , get $mib $((4 * mib)) "$tmp/got" , \
		clear $mib $mib 7 , pages , props , release , stats
}

url=$azurite_url/$container
all_calls "key" "$url/a%20b/disk(1)+%C3%A9.img"
# What was to be there, made in another way.
cp "$tmp/data" "$tmp/want"
dd if=/dev/zero of="$tmp/want" bs=4096 seek=1 count=511 conv=notrunc status=none
dd if=/dev/zero of="$tmp/want" bs=$mib seek=5 count=3 conv=notrunc status=none
the_same "$container/a b/disk(1)+é.img" "$tmp/want" "key: the other client reads what was written"
cmp -n 4096 "$tmp/got" "$tmp/data" &&
	cmp -n $((4 * mib)) -i $mib "$tmp/got" "$tmp/data"
ok $? "key: what was read is what was written"

unset AZURE_STORAGE_CONNECTION_STRING
token=$(AZURE_STORAGE_CONNECTION_STRING=$connection sas "$container" rcwd 600)
all_calls "SAS" "$url/sas?$token"
AZURE_STORAGE_SAS_TOKEN="?$token" all_calls "SAS of the environment" "$url/sas2"
export AZURE_STORAGE_CONNECTION_STRING="$connection"
the_same "$container/sas" "$tmp/want" "SAS: the other client reads what was written"

# The other way round: it writes, we read.
head -c $((3 * mib + 512)) "$tmp/data" >"$tmp/small"
blobtool upload "$tmp/small" "$container/theirs" && rm -f "$tmp/got" &&
	says "get: done
get: done
exit 0" "what the other client wrote is read" "$url/theirs" \
		get 0 $((3 * mib)) "$tmp/got" , get $((3 * mib)) 512 "$tmp/got"
try "and is the same" cmp "$tmp/got" "$tmp/small"

snapshot=$(blobtool snapshot "$container/theirs")
says "put: done
get: done
delete: 409 SnapshotsPresent; delete the snapshots too, with --snapshots (1)
exit 1" "a blob with a snapshot" "$url/theirs" \
	put 0 4096 - "$tmp/want" , get 0 4096 "$tmp/got" , delete
says "get: done
exit 0" "a snapshot is read, with a lease held on its blob" \
	"$url/theirs?snapshot=$snapshot" lease $lease , get 0 4096 "$tmp/got2"
try "and is as it was" cmp -n 4096 "$tmp/got2" "$tmp/small"
says "delete-all: done
props: 404 BlobNotFound; check the name, or make the drive with clouddrivectl create (3)
exit 3" "a blob is deleted with its snapshots" "$url/theirs" delete-all , props

# --- refusals ------------------------------------------------------------------------

blobtool create "$container/disk" $mib
AZURE_STORAGE_CONNECTION_STRING=$(echo "$connection" | sed 's/AccountKey=Eby8/AccountKey=Ebz8/')
says "props: 403 AuthorizationFailure; check the account key or the SAS, and the storage account's firewall (4)
put: 403 AuthorizationFailure: Server failed to authenticate the request. Make sure the value of the Authorization header is formed correctly including the signature.; check the account key or the SAS, and the storage account's firewall (4)
exit 4" "wrong key" "$url/disk" props , put 0 512 - "$tmp/data"

AZURE_STORAGE_CONNECTION_STRING=$connection
expired=$(sas "$container" rcwd -60)
readonly_sas=$(sas "$container" r 600)
elsewhere=$(sas "$container/other" rcwd 600)
unset AZURE_STORAGE_CONNECTION_STRING
is "$("$tmp/check" "$url/disk?$expired" props , put 0 512 - "$tmp/data" |
	sed 's/expired at [-0-9T:]*Z/expired at TIME/')" \
	"props: 403 AuthorizationFailure: the SAS expired at TIME; the SAS has expired; make a new SAS (4)
put: 403 AuthorizationFailure: the SAS expired at TIME; the SAS has expired; make a new SAS (4)" \
	"expired SAS"
is "$("$tmp/check" "$url/disk?$readonly_sas" props , put 0 512 - "$tmp/data" |
	sed 's/Mismatch: .*; make/Mismatch: …; make/')" \
	"props: done; type 1, size $mib, sequence number 0, available
put: 403 AuthorizationPermissionMismatch: …; make a new SAS with read and write for a drive (sp=rw), read, create, write and delete to make one (sp=rcwd), delete to delete one (sp=d) (4)" \
	"SAS that may only read"
says "props: 403 AuthorizationFailure; check the account key or the SAS, and the storage account's firewall (4)
exit 4" "SAS of another blob" "$url/disk?$elsewhere" props
says "no credential; give --key-file FILE, set AZURE_STORAGE_KEY, or put a SAS in the URL
exit 99" "no credential" "$url/disk" props
export AZURE_STORAGE_CONNECTION_STRING="$connection"

says "props: 404 ContainerNotFound; create the container first (3)
create: 404 ContainerNotFound; create the container first (3)
exit 3" "no such container" "$azurite_url/nothing-here/disk" props , create $mib
says "props: 404 BlobNotFound; check the name, or make the drive with clouddrivectl create (3)
exit 3" "no such blob" "$url/nothing" props
says "AZURE_STORAGE_CONNECTION_STRING is for account \"devstoreaccount1\", the URL for \"nobody\"; set the one that fits
exit 99" "credentials of another account" "http://127.0.0.1:$azurite_port/nobody/$container/disk" props

blobtool put-block-blob "$tmp/small" "$container/block"
says "props: done; type 2, size 3146240, sequence number 0, available
put: 409 InvalidBlobType; a drive must be a page blob; make one with clouddrivectl create (8)
exit 8" "block blob" "$url/block" props , put 0 512 - "$tmp/data"

says "acquire: done
acquire: 409 LeaseAlreadyPresent; use --force to take it over, or unmount it there (5)
renew: 409 LeaseIdMismatchWithLeaseOperation; use --force to take it over, or unmount it there (5)
put: 412 LeaseIdMismatchWithBlobOperation; use --force to take it over, or unmount it there (5)
get: 412 LeaseIdMismatchWithBlobOperation; use --force to take it over, or unmount it there (5)
put: 412 LeaseIdMissing; use --force to take it over, or unmount it there (5)
clear: 412 LeaseIdMissing; use --force to take it over, or unmount it there (5)
raise: 412 LeaseIdMissing; use --force to take it over, or unmount it there (5); 0
delete: 412 LeaseIdMissing; use --force to take it over, or unmount it there (5)
put: done
exit 5" "leased by another client" "$url/disk" \
	lease $another , acquire 60 , lease $lease , acquire 60 , renew , \
	put 0 512 - "$tmp/data" , get 0 512 "$tmp/got" , \
	lease - , put 0 512 - "$tmp/data" , clear 0 512 - , raise 9 , delete , \
	lease $another , put 0 512 - "$tmp/data"
says "break: done
renew: 409 LeaseIsBrokenAndCannotBeRenewed; someone broke the lease; mount the drive again (5)
put: 412 LeaseNotPresentWithBlobOperation; someone broke the lease; mount the drive again (5)
exit 5" "a lease that was broken" "$url/disk" lease $lease , break , \
	lease $another , renew , put 0 512 - "$tmp/data"

says "raise: done; 5
put: done
put: 412 SequenceNumberConditionNotMet; another client has mounted this blob; unmount one of the two (1)
clear: 412 SequenceNumberConditionNotMet; another client has mounted this blob; unmount one of the two (1)
raise: done; 6
put: 412 SequenceNumberConditionNotMet; another client has mounted this blob; unmount one of the two (1)
put: done
exit 1" "a sequence number that was raised" "$url/disk" \
	raise 5 , put 0 512 5 "$tmp/data" , put 0 512 4 "$tmp/want" , clear 0 512 6 , \
	raise 6 , put 0 512 5 "$tmp/want" , put 512 512 6 "$tmp/data"
head -c 1024 "$tmp/data" >"$tmp/1024"
blobtool download "$container/disk" "$tmp/download" && cmp -n 1024 "$tmp/download" "$tmp/1024"
ok $? "what was refused was not written"

# --- many at once --------------------------------------------------------------------

says "flood: 0 failed
exit 0" "1000 calls, 32 at a time" "$url/disk" flood 1000 "$tmp/data"
diag "$(cat "$tmp/stderr")"

# --- the server goes away ------------------------------------------------------------

stop_azurite
is "$("$tmp/check" "$url/disk" props , put 0 512 - "$tmp/data" | sed 's/: Failed.*;/: …;/')" \
	"props: unreachable: …; check the account name, the network, and that the server is running (7)
put: unreachable: …; check the account name, the network, and that the server is running (7)" \
	"server down"

# --- CRC64 is ignored rather than refused --------------------------------------------

restart_azurite --loose
says "put: done
get: done
stats: 3 calls, 2 reads, 1 writes, 0 clears, 0 lists, 0 others, 0 failed
exit 0" "a server that ignores CRC64" "$url/disk" \
	put 0 4096 - "$tmp/data" , get 0 4096 "$tmp/got" , stats
stop_azurite

# --- TLS -----------------------------------------------------------------------------

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=clouddrive-test \
	-addext 'subjectAltName=IP:127.0.0.1' \
	-keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null || bail_out "no certificate"
# shellcheck disable=SC2317,SC2329  # called by restart_azurite
azurite_answers() {
	curl -sk -o /dev/null "https://127.0.0.1:$azurite_port/"
}
restart_azurite --cert "$tmp/cert.pem" --key "$tmp/key.pem"
AZURE_STORAGE_CONNECTION_STRING=$(echo "$connection" | sed 's/http/https/g')
https=https${url#http}
is "$("$tmp/check" "$https/disk" props | sed 's/trusted: .*;/trusted: …;/')" \
	"props: not trusted: …; set SSL_CERT_FILE to the CA that signed the server's certificate (7)" \
	"a certificate that is not trusted"
SSL_CERT_FILE=$tmp/cert.pem
export SSL_CERT_FILE
says "put: done
get: done
exit 0" "a certificate that is" "$https/disk" put 0 $mib - "$tmp/data" , get 0 $mib "$tmp/got"
is "$("$tmp/check" "$(echo "$https" | sed s/127.0.0.1/localhost/)/disk" props |
	sed 's/trusted: .*;/trusted: …;/')" \
	"props: not trusted: …; set SSL_CERT_FILE to the CA that signed the server's certificate (7)" \
	"a certificate for another host"
SSL_CERT_FILE=$tmp/none.pem
is "$("$tmp/check" "$https/disk" props | sed 's/trusted: .*;/trusted: …;/')" \
	"props: not trusted: …; set SSL_CERT_FILE to the CA that signed the server's certificate (7)" \
	"SSL_CERT_FILE that isn't there"
unset SSL_CERT_FILE
stop_azurite
is "$("$tmp/check" "$https/disk" props | cut -c -19)" "props: unreachable:" "https server down"

plan
