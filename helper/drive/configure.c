// SPDX-License-Identifier: MIT
/* What the agent asks of a helper; see lib/runtime.h. */
#include <stdio.h>
#include <string.h>

#include "drive/drive.h"
#include "lib/runtime.h"

#define CONNECTIONS 32
#define CONNECTIONS_MOST 128

json_t *drive_configure(struct drive *d, const json_t *request, int fd)
{
	const char *url = NULL, *sas = NULL;
	int connections = CONNECTIONS, park_limit = -1, adopt = -1;
	int read_only = 0, force = 0, foreground = 0;
	const char *kept = "";
	json_int_t cache = -1;
	json_error_t e;
	char why[DRIVE_MESSAGE];
	int err;

	if (json_unpack_ex((json_t *)request, &e, 0,
			   "{s:s, s:s, s?b, s?b, s?i, s?i, s?i, s?b, s?I, s?s}", "url", &url, "sas",
			   &sas, "read_only", &read_only, "force", &force, "connections",
			   &connections, "park_limit", &park_limit, "adopt", &adopt, "foreground",
			   &foreground, "cache", &cache, "cache_validator", &kept))
		return runtime_error(EXIT_FAILED, "clouddrived: %s", e.text);
	if (az_url_parse(url, &d->url, why, sizeof(why)))
		return runtime_error(EXIT_USAGE, "%s", why);
	d->name = az_url_text(&d->url);
	err = az_credential_set_sas(&d->cred, sas);
	if (err || !d->name)
		return runtime_error(EXIT_DENIED, "%s: no usable SAS", url);
	if (connections < 1 || connections > CONNECTIONS_MOST)
		return runtime_error(EXIT_USAGE, "connections: must be 1 to %d", CONNECTIONS_MOST);
	d->read_only = read_only || d->url.snapshot;
	d->force = force;
	d->foreground = foreground;
	d->connections = (unsigned int)connections;
	d->park_limit = park_limit;
	d->adopt = adopt;
	d->cache_size = cache;
	snprintf(d->kept, sizeof(d->kept), "%s", kept);
	agent_channel_init(&d->channel, d->loop, &d->cred, d->name, &drive_channel_ops, d);
	err = agent_channel_open(&d->channel, fd, request);
	return err ? runtime_error(EXIT_FAILED, "%s: %s", d->name, strerror(-err)) : NULL;
}
