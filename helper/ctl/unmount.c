// SPDX-License-Identifier: MIT
#include <stdbool.h>

#include "command/options.h"
#include "ctl/ctl.h"
#include "host/detach.h"
#include "host/drives.h"

static int unmount(const struct drive *drive, void *force)
{
	bool gone;

	return detach_drive(drive, *(bool *)force, &gone);
}

static int run(int argc, char **argv)
{
	const char *arg = NULL;
	bool force = false;
	const struct option options[] = {
		FLAG("force", &force),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("DRIVE", &arg),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	if (!status)
		status = need_root();
	return status ? status : drives_act(arg, unmount, &force);
}

static const char help[] =
	"usage: clouddrivectl unmount DRIVE [--force]\n"
	"\n"
	"Unmounts the drive's file systems, releases its lease and takes the device away.\n"
	"DRIVE is a URL, a device or a mount point. When this returns 0, everything that was\n"
	"written is in the blob: not when writing it out failed, with --force and without, nor\n"
	"when any write has failed since the mount, whichever program had the error, nor when\n"
	"the drive was fenced while it had a file system. Needs root.\n"
	"\n"
	"  --force  even while files or the device are in use, and without waiting for data\n"
	"           that can't be written now: programs that use it get errors, and what was\n"
	"           not written yet is lost. A fenced drive is always taken away like this\n"
	"\n"
	"When the drive has neither helper nor agent its lease can't be released, and keeps\n"
	"others away for up to 60 seconds.\n"
	"\n"
	"Examples:\n"
	"  clouddrivectl unmount /mnt/disk1\n"
	"  clouddrivectl unmount /dev/cdrive0 --force\n"
	"\n"
	"Exit status: 0 done; 1 it failed, or not all is in the blob, which is said then; 2 wrong usage; 3 no such drive on this machine;\n"
	"6 files or the device in use; 7 data waits for a service that can't be reached.\n";

const struct verb verb_unmount = {
	.name = "unmount",
	.arguments = "DRIVE",
	.summary = "take a drive away",
	.help = help,
	.run = run,
};
