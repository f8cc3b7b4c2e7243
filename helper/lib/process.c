// SPDX-License-Identifier: MIT
#include "lib/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool process_maps_outdated(const char *maps)
{
	static const char gone[] = " (deleted)";

	for (const char *line = maps; *line; line += *line == '\n') {
		const char *path = line, *perms = line + strcspn(line, " \n");

		line += strcspn(line, "\n");
		path += strcspn(path, "/\n");
		if (path >= line || strncmp(perms, " ", 1) != 0 || perms[3] != 'x')
			continue;
		if (!strncmp(path, "/memfd:", 7) || !strncmp(path, "/dev/", 5))
			continue;
		if ((size_t)(line - path) >= sizeof(gone) &&
		    !strncmp(line - (sizeof(gone) - 1), gone, sizeof(gone) - 1))
			return true;
	}
	return false;
}

bool process_status_waits_for(const char *status, int signo)
{
	const char *blocked = strstr(status, "\nSigBlk:");

	return blocked && strtoull(blocked + 8, NULL, 16) >> (signo - 1) & 1;
}

/* /proc/PID/NAME; malloc'ed, or NULL. */
static char *process_file(pid_t pid, const char *name)
{
	char path[64];
	char *text = NULL;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	if (getdelim(&text, &size, '\0', f) < 0) {
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

bool process_outdated(pid_t pid)
{
	char *maps = process_file(pid, "maps");
	bool is = maps && process_maps_outdated(maps);

	free(maps);
	return is;
}

bool process_waits_for(pid_t pid, int signo)
{
	char *status = process_file(pid, "status");
	bool waits = status && process_status_waits_for(status, signo);

	free(status);
	return waits;
}
