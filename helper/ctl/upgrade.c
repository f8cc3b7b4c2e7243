// SPDX-License-Identifier: MIT
#include <stddef.h>

#include "command/options.h"
#include "ctl/ctl.h"
#include "host/drives.h"
#include "host/upgrade.h"
#include "lib/runtime.h"

/* What failed for one is no reason to try it on the next. */
static int upgrade_all(void)
{
	struct drives drives;
	int status = need_root();
	size_t i;

	if (!status)
		status = drives_load(&drives);
	if (status)
		return status;
	if (drives.count)
		status = upgrade_possible();
	for (i = 0; i < drives.count && !status; i++)
		status = upgrade_drive(&drives.drive[i]);
	drives_free(&drives);
	return status;
}

static int run(int argc, char **argv)
{
	const struct option options[] = { { 0 } };
	const struct argument arguments[] = { { 0 } };
	int status = options_parse(argc, argv, options, arguments);

	return status ? status : upgrade_all();
}

static const char help[] =
	"usage: clouddrivectl upgrade\n"
	"\n"
	"Has every drive of this machine go on with the programs that are installed now. Its\n"
	"agent hands the credential to a new one, and a new helper adopts the drive. Programs\n"
	"that use the drive see a pause of a second or so, and no error. Drives take turns; the\n"
	"first that does not come back ends it, and the rest stay as they are. What runs already\n"
	"what is installed is left alone, so it can be run at any time. An upgrade of the Debian\n"
	"package does it.\n"
	"\n"
	"The module stays the one that is loaded.\n"
	"\n"
	"Exit status: 0 all drives have what is installed; 1 it failed; 2 wrong usage; 7 a drive\n"
	"waits for its service: run it again when it is live.\n";

const struct verb verb_upgrade = {
	.name = "upgrade",
	.arguments = "",
	.summary = "have all drives go on with the programs installed now",
	.help = help,
	.run = run,
};
