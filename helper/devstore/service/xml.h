/* SPDX-License-Identifier: MIT */
/*
 * xml.h - documents: writing text, reading stored access policies
 */
#ifndef DEVSTORE_XML_H
#define DEVSTORE_XML_H

#include "devstore/service/object.h"
#include "lib/text.h"

#define DS_XML_HEAD "<?xml version=\"1.0\" encoding=\"utf-8\"?>"

void ds_xml_text(struct text *t, const char *s); /* escaped */
/* <NAME>escaped VALUE</NAME> */
void ds_xml_element(struct text *t, const char *name, const char *value);

/* The body of Set Container ACL: at most DS_MAX_POLICIES of them.
 * ERR_InvalidXmlDocument, or ERR_InvalidInput for what they say. */
enum ds_err ds_xml_policies(const void *body, size_t len,
			    struct ds_policy policies[DS_MAX_POLICIES]);

#endif
