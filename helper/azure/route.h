/* SPDX-License-Identifier: MIT */
/*
 * route.h - by which proxy a service is reached, if any, and so which names are needed
 *
 * The environment's proxies ($https_proxy, $http_proxy, $all_proxy, $no_proxy) as curl(1)
 * takes them; none for loopback.  libcurl would find the same, but does not tell, and
 * the names that it connects to are looked up before (resolver.h).
 */
#ifndef AZURE_ROUTE_H
#define AZURE_ROUTE_H

#include "azure/resolver.h"
#include "azure/url.h"

#define AZ_ROUTE_NAMES 2

struct az_route {
	struct az_route *next;
	char *host; /* of the URL, with its port */
	bool https;
	char *proxy; /* for libcurl; "" : none */
	struct az_name *names[AZ_ROUTE_NAMES]; /* to be looked up; NULL: fewer */
	struct curl_slist entries[AZ_ROUTE_NAMES]; /* for CURLOPT_RESOLVE; see az_route_entries() */
};

/* NULL: out of memory. */
struct az_route *az_route_new(struct az_resolver *r, const struct az_url *url);
void az_route_free(struct az_route *route);

/* Looks up its names: the least that is known of any; *@name is that one. */
enum az_name_state az_route_look_up(struct az_route *route, struct az_name **name);

/* The names' addresses; NULL: there are no names.  The list is the route's, and to be
 * made again whenever names are answered. */
struct curl_slist *az_route_entries(struct az_route *route);

/* No connection could be made. */
void az_route_doubt(struct az_route *route);

#endif
