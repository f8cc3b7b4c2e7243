// SPDX-License-Identifier: MIT
#include "lib/notes.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* False: it does not fit. */
static bool write_notes(struct driver_memory *memory, const json_t *notes)
{
	char *text = notes ? json_dumps(notes, JSON_COMPACT) : NULL;
	bool fits = text && strlen(text) <= CDRIVE_MAX_NOTES;

	if (fits) {
		memory->notes_len = strlen(text);
		memcpy(memory->notes, text, memory->notes_len + 1);
	}
	free(text);
	return fits;
}

void notes_write(struct driver_memory *memory, const char *url, int64_t modified, bool interrupted)
{
	json_t *notes = json_pack("{s:s, s:I, s:b}", "url", url, "modified", (json_int_t)modified,
				  "interrupted", interrupted);

	memory->notes_len = 0;
	memory->notes[0] = '\0';
	if (!write_notes(memory, notes)) {
		json_object_del(notes, "url");
		write_notes(memory, notes);
	}
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

int64_t notes_modified(const struct driver_memory *memory)
{
	json_t *notes = json_loadb(memory->notes, memory->notes_len, 0, NULL);
	int64_t modified = json_integer_value(json_object_get(notes, "modified"));

	json_decref(notes);
	return modified;
}

bool notes_interrupted(const struct driver_memory *memory)
{
	json_t *notes = json_loadb(memory->notes, memory->notes_len, 0, NULL);
	bool interrupted = json_is_true(json_object_get(notes, "interrupted"));

	json_decref(notes);
	return interrupted;
}
