// SPDX-License-Identifier: MIT
#include "lib/notes.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

void notes_write(struct driver_memory *memory, const char *url)
{
	json_t *notes = json_pack("{s:s}", "url", url);
	char *text = notes ? json_dumps(notes, JSON_COMPACT) : NULL;

	memory->notes_len = 0;
	memory->notes[0] = '\0';
	if (text && strlen(text) <= CDRIVE_MAX_NOTES) {
		memory->notes_len = strlen(text);
		memcpy(memory->notes, text, memory->notes_len + 1);
	}
	free(text);
	json_decref(notes);
}

char *notes_url(const struct driver_memory *memory)
{
	json_t *notes = json_loadb(memory->notes, memory->notes_len, 0, NULL);
	const char *url = json_string_value(json_object_get(notes, "url"));
	char *copy = url ? strdup(url) : NULL;

	json_decref(notes);
	return copy;
}
