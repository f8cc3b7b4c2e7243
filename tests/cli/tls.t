#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154  # shared with tests/vm/lib.sh
# quick
#
# Certificates that are trusted and those that aren't. Needs Azurite and openssl.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

make_tmp

# make_certificate NAME SUBJECT_ALT_NAME [OPTION OF openssl req]...
make_certificate() {
	certificate=$1
	shift
	san=$1
	shift
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/$certificate.key" \
		-out "$tmp/$certificate.pem" -days 2 -subj "/CN=test" \
		-addext "subjectAltName=$san" "$@" 2>"$tmp/openssl" ||
		bail_out "openssl: $(cat "$tmp/openssl")"
}

make_certificate good IP:127.0.0.1
make_certificate other DNS:example.com
key=$tmp/key
echo "$azurite_key" >"$key"
add_secret "$azurite_key"

# serve NAME: Azurite with that certificate; sets $base
serve() {
	azurite_port=$(free_port)
	tls_url=https://127.0.0.1:$azurite_port/$azurite_account
	node tests/node_modules/azurite/dist/src/blob/main.js --silent --disableTelemetry \
		--skipApiVersionCheck --blobHost 127.0.0.1 --blobPort "$azurite_port" \
		--location "$tmp/azurite-$1" --cert "$tmp/$1.pem" --key "$tmp/$1.key" \
		</dev/null >>"$tmp/azurite.log" 2>&1 &
	azurite_pid=$!
	wait_for 30 curl -sk -o /dev/null "https://127.0.0.1:$azurite_port/" ||
		bail_out "Azurite did not start: $(tail -n 5 "$tmp/azurite.log")"
	AZURE_STORAGE_CONNECTION_STRING="DefaultEndpointsProtocol=https;AccountName=$azurite_account;AccountKey=$azurite_key;BlobEndpoint=$tls_url;" \
		NODE_TLS_REJECT_UNAUTHORIZED=0 NODE_NO_WARNINGS=1 \
		blobtool create-container disks || bail_out "no container"
	base=$tls_url/disks
}
at_exit stop_azurite

serve good
rejected 7 "certificate is not trusted .*SSL_CERT_FILE" "an unknown certificate" \
	create "$base/disk" --size 1M --format raw --fs none --key-file "$key"
SSL_CERT_FILE=$tmp/good.pem
export SSL_CERT_FILE
reports "disk: 1M, raw" "trusted through SSL_CERT_FILE" create "$base/disk" --size 1M --format raw --fs none --key-file "$key"
SSL_CERT_FILE=$tmp/other.pem
rejected 7 "certificate is not trusted" "SSL_CERT_FILE with another" delete "$base/disk" --key-file "$key"
SSL_CERT_FILE=$tmp/nothing.pem
rejected '[17]' . "SSL_CERT_FILE that isn't there" delete "$base/disk" --key-file "$key"
SSL_CERT_FILE=$tmp/good.pem
rejected '[17]' . "plain http to a TLS port" delete "http${base#https}/disk" --key-file "$key"
done_quietly "delete over TLS" delete "$base/disk" --key-file "$key"
stop_azurite

serve other
SSL_CERT_FILE=$tmp/other.pem
rejected 7 "certificate is not trusted" "a certificate for another host" \
	create "$base/disk" --size 1M --format raw --fs none --key-file "$key"

plan
