// SPDX-License-Identifier: MIT
/*
 * clouddrivectl - makes, mounts and looks after drives: a table of verbs
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "ctl/ctl.h"
#include "lib/secret.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct verb *const verbs[] = {
	&verb_create,	  &verb_mount, &verb_unmount, &verb_list,     &verb_status,
	&verb_snapshot,	  &verb_copy,  &verb_upload,  &verb_download, &verb_delete,
	&verb_init_cache, &verb_warm,  &verb_upgrade, &verb_devstore,
};

static void overview(void)
{
	size_t i;

	puts("clouddrivectl - disks on Azure page blobs\n");
	for (i = 0; i < COUNT(verbs); i++)
		printf("  clouddrivectl %-10s %-24s %s\n", verbs[i]->name, verbs[i]->arguments,
		       verbs[i]->summary);
	puts("\n"
	     "URL is https://ACCOUNT.blob.core.windows.net/CONTAINER/BLOB, with a SAS as its\n"
	     "query where you have one (quote it). DRIVE is a URL, a device or a mount point.\n"
	     "The account key comes from --key-file FILE, AZURE_STORAGE_KEY or\n"
	     "AZURE_STORAGE_CONNECTION_STRING.\n"
	     "\n"
	     "A first drive:\n"
	     "\n"
	     "  URL=https://ACCOUNT.blob.core.windows.net/CONTAINER/disk1\n"
	     "  clouddrivectl create $URL --size 10G --key-file key\n"
	     "  clouddrivectl mount $URL --key-file key               # prints /dev/cdrive0 /mnt/cdrive0\n"
	     "\n"
	     "More: clouddrivectl VERB --help, man clouddrivectl, clouddrivectl --version");
}

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(verbs); i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static int no_verb(const char *name)
{
	return fail(EXIT_USAGE, "%.32s: no such verb; see clouddrivectl --help",
		    strstr(name, "://") ? "URL" : name);
}

static bool wants_help(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static int run_verb(int argc, char **argv)
{
	const struct verb *verb = find_verb(argv[0]);

	if (!verb)
		return no_verb(argv[0]);
	if (wants_help(argc, argv)) {
		fputs(verb->help, stdout);
		return EXIT_OK;
	}
	command_verb = verb->name;
	return verb->run(argc, argv);
}

static int run(int argc, char **argv)
{
	if (argc < 2) {
		overview();
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		overview();
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("clouddrivectl %s\n", CD_VERSION);
		return EXIT_OK;
	}
	/* For programs: mount starts it. */
	if (!strcmp(argv[1], "agent"))
		return agent_main(argc, argv);
	return run_verb(argc - 1, argv + 1);
}

/* A SAS is a secret, and everyone on the machine can read /proc/PID/cmdline:
 * URLs with a query are moved off it before anything else is done. */
static void hide_queries(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		char *query = strchr(argv[i], '?');
		char *copy;

		if (!query)
			continue;
		copy = strdup(argv[i]);
		if (!copy)
			abort();
		explicit_bzero(query, strlen(query));
		argv[i] = copy;
	}
}

/* Descriptors 0 to 2 may be closed; what is opened next must not take their
 * places and be written messages to. */
static void open_standard_files(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* jansson holds the key on its way to the agent. */
static void cleansing_free(void *p)
{
	if (!p)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static int keep_secrets(int argc, char **argv)
{
	int err = secret_protect_process();

	hide_queries(argc, argv);
	json_set_alloc_funcs(malloc, cleansing_free);
	return err ? fail(EXIT_FAILED, "keeping memory from other processes: %s", strerror(-err)) :
		     0;
}

int main(int argc, char **argv)
{
	int status;

	open_standard_files();
	status = keep_secrets(argc, argv);
	if (status)
		return status;
	signal(SIGPIPE, SIG_IGN);
	status = run(argc, argv);
	if (fflush(stdout) && !status)
		status = fail(EXIT_FAILED, "standard output: %m; the result is incomplete");
	return status;
}
