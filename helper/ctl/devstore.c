// SPDX-License-Identifier: MIT
/*
 * devstore.c - the embedded store: starting it, and its faults and counters
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "command/options.h"
#include "ctl/ctl.h"
#include "devstore/devstore.h"
#include "lib/log.h"
#include "lib/runtime.h"
#include "lib/text.h"

#define MAX_ACCOUNTS 64
#define MAX_KEY 1024

/* --- paths ---------------------------------------------------------------------------- */

static const char *default_data(char *buf, size_t len)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (!geteuid())
		snprintf(buf, len, "/var/lib/clouddrive/devstore");
	else if (base && *base == '/')
		snprintf(buf, len, "%s/clouddrive/devstore", base);
	else
		snprintf(buf, len, "%s/.local/state/clouddrive/devstore", home ? home : "");
	return buf;
}

/* --- serving ---------------------------------------------------------------------------- */

/* "NAME:KEYFILE"; the key is the file's first word. */
static int read_account(const char *arg, struct devstore_account *account)
{
	const char *colon = strchr(arg, ':');
	char line[MAX_KEY];
	FILE *f;

	if (!colon)
		return fail(EXIT_USAGE, "--account: not NAME:KEYFILE; see clouddrivectl %s --help",
			    command_verb);
	f = fopen(colon + 1, "re");
	if (!f || !fgets(line, sizeof(line), f)) {
		int status = fail(EXIT_FAILED, "%s: %m; it is to hold the account's key in base64",
				  colon + 1);

		if (f)
			fclose(f);
		return status;
	}
	fclose(f);
	account->name = strndup(arg, (size_t)(colon - arg));
	account->key = strndup(line, strcspn(line, " \t\r\n"));
	explicit_bzero(line, sizeof(line));
	return account->name && account->key ? EXIT_OK : fail(EXIT_FAILED, "out of memory");
}

/* --account may be there more than once. */
static int read_accounts(int argc, char **argv, struct devstore_account *accounts, size_t *count)
{
	int status = EXIT_OK;

	*count = 0;
	for (int i = 1; i < argc && !status; i++) {
		const char *value = NULL;

		if (!strcmp(argv[i], "--account") && i + 1 < argc)
			value = argv[++i];
		else if (!strncmp(argv[i], "--account=", 10))
			value = argv[i] + 10;
		if (!value)
			continue;
		if (*count == MAX_ACCOUNTS)
			return fail(EXIT_USAGE, "--account: too many; %d will do", MAX_ACCOUNTS);
		status = read_account(value, &accounts[(*count)++]);
	}
	return status;
}

static void free_accounts(struct devstore_account accounts[MAX_ACCOUNTS])
{
	for (size_t i = 0; i < MAX_ACCOUNTS; i++) {
		free(accounts[i].name);
		text_free_secret(accounts[i].key);
	}
}

static void ready(const char *url, const char *control)
{
	printf("devstore: serving %s\n", url);
	printf("devstore: control %s\n", control);
	fflush(stdout);
}

static int serve(int argc, char **argv)
{
	struct devstore_account accounts[MAX_ACCOUNTS] = { 0 };
	struct devstore_options o = {
		.listen = DS_DEFAULT_LISTEN,
		.accounts = accounts,
		.async_above = 64ull << 20,
		.copy_ms = 500,
	};
	const char *account = NULL;
	const struct option options[] = {
		TEXT("data", &o.data),
		TEXT("listen", &o.listen),
		FLAG("allow-remote", &o.allow_remote),
		FLAG("durable", &o.durable),
		TEXT("account", &account),
		TEXT("container", &o.container),
		TEXT("tls-cert", &o.tls_cert),
		TEXT("tls-key", &o.tls_key),
		TEXT("control", &o.control),
		SIZE("async-copy-above", &o.async_above),
		NUMBER("copy-time", &o.copy_ms, 0, 3600000),
		TEXT("profile", &o.profile),
		NUMBER("seed", &o.seed, 0, UINT64_MAX),
		{ 0 },
	};
	const struct argument arguments[] = { { 0 } };
	char data[4096], why[512];
	int status;

	if (getrandom(&o.seed, sizeof(o.seed), 0) != sizeof(o.seed))
		o.seed = 1;
	status = options_parse(argc, argv, options, arguments);
	if (!status)
		status = read_accounts(argc, argv, accounts, &o.account_count);
	if (!status && !o.tls_cert != !o.tls_key)
		status = fail(EXIT_USAGE, "--tls-cert and --tls-key: one without the other is of "
					  "no use; give both");
	if (!status && devstore_check(&o, why, sizeof(why)))
		status = fail(EXIT_USAGE, "%s", why);
	if (!o.data)
		o.data = default_data(data, sizeof(data));
	log_open("devstore", true);
	if (!status && devstore_run(&o, ready, why, sizeof(why)))
		status = fail(EXIT_FAILED, "%s", why);
	free_accounts(accounts);
	return status;
}

/* --- the control socket ----------------------------------------------------------------- */

/* One request to the server at @path. */
static int exchange(const char *path, json_t *request, json_t **response)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char data[4000], control[4096];
	const char *error;
	int fd, err;

	if (!path) {
		snprintf(control, sizeof(control), "%s/control", default_data(data, sizeof(data)));
		path = control;
	}
	if (strlen(path) >= sizeof(address.sun_path))
		return fail(EXIT_USAGE, "%s: too long for a socket's path; choose a shorter one",
			    path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		if (fd >= 0)
			close(fd);
		return fail(EXIT_UNREACHABLE,
			    "%s: %m; is clouddrivectl devstore running? --control names the path "
			    "that it printed",
			    path);
	}
	err = runtime_send(fd, request);
	if (!err)
		err = runtime_receive(fd, response, 10000);
	close(fd);
	if (err)
		return fail(EXIT_FAILED, "%s: %s; try again", path, strerror(-err));
	error = json_string_value(json_object_get(*response, "error"));
	return error ? fail(EXIT_USAGE, "%s; see clouddrivectl devstore --help", error) : EXIT_OK;
}

/* Prints the response, or what @show makes of it. */
static int talk(const char *path, json_t *request, int (*show)(json_t *response))
{
	json_t *response = NULL;
	int status = exchange(path, request, &response);

	json_decref(request);
	if (!status)
		status = show ? show(response) : print_json(json_incref(response));
	json_decref(response);
	return status;
}

static int show_id(json_t *response)
{
	printf("%lld\n", (long long)json_integer_value(json_object_get(response, "id")));
	return EXIT_OK;
}

static int show_rules(json_t *response)
{
	const json_t *rule;
	size_t i;

	json_array_foreach(json_object_get(response, "rules"), i, rule) {
		char *line = json_dumps(rule, JSON_COMPACT);

		puts(line ? line : "");
		free(line);
	}
	return EXIT_OK;
}

static int show_nothing(json_t *response)
{
	(void)response;
	return EXIT_OK;
}

/* --- faults --------------------------------------------------------------------------------- */

struct fault {
	const char *control, *action, *op, *blob, *range;
	const char *probability, *delay, *period, *median, *p99;
	const char *count, *after, *status, *retry_after, *bytes, *ops, *rate;
	const char *ahead, *behind;
	bool refuse;
};

/* "12" or "0.5": strtod() alone would also take "0x10", "inf" and " 1e9". */
static bool is_decimal(const char *text)
{
	size_t whole = strspn(text, "0123456789");
	size_t part = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;

	return whole && whole + part < 40 && !text[whole + (part ? part + 1 : 0)];
}

/* What a number may be is known at the other end, which refuses a text. */
static void set_number(json_t *rule, const char *name, const char *text)
{
	if (text)
		json_object_set_new(rule, name,
				    is_decimal(text) ? json_real(strtod(text, NULL)) :
						       json_string(text));
}

static void set_text(json_t *rule, const char *name, const char *text)
{
	if (text)
		json_object_set_new(rule, name, json_string(text));
}

static json_t *make_rule(const struct fault *f)
{
	json_t *rule = json_object();

	set_text(rule, "action", f->action);
	set_text(rule, "op", f->op);
	set_text(rule, "blob", f->blob);
	set_text(rule, "range", f->range);
	set_number(rule, "count", f->count);
	set_number(rule, "after", f->after);
	set_number(rule, "probability", f->probability);
	set_number(rule, "for_ms", f->period);
	set_number(rule, "delay_ms", f->delay);
	set_number(rule, "status", f->status);
	set_number(rule, "retry_after", f->retry_after);
	set_number(rule, "bytes", f->bytes);
	set_number(rule, "median_ms", f->median);
	set_number(rule, "p99_ms", f->p99);
	set_number(rule, "ops", f->ops);
	set_number(rule, "bytes_per_second", f->rate);
	set_number(rule, "ahead", f->ahead);
	set_number(rule, "behind", f->behind);
	if (f->refuse)
		json_object_set_new(rule, "refuse", json_true());
	return rule;
}

static int fault_set(int argc, char **argv)
{
	struct fault f = { 0 };
	const struct option options[] = {
		TEXT("control", &f.control),
		TEXT("op", &f.op),
		TEXT("blob", &f.blob),
		TEXT("range", &f.range),
		TEXT("count", &f.count),
		TEXT("after", &f.after),
		TEXT("probability", &f.probability),
		TEXT("for", &f.period),
		TEXT("delay", &f.delay),
		TEXT("status", &f.status),
		TEXT("retry-after", &f.retry_after),
		TEXT("bytes", &f.bytes),
		TEXT("median", &f.median),
		TEXT("p99", &f.p99),
		TEXT("ops", &f.ops),
		TEXT("rate", &f.rate),
		TEXT("ahead", &f.ahead),
		TEXT("behind", &f.behind),
		FLAG("refuse", &f.refuse),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("FAULT", &f.action),
		{ 0 },
	};
	int status = options_parse(argc, argv, options, arguments);

	return status ? status :
			talk(f.control,
			     json_pack("{ss so}", "command", "fault-set", "rule", make_rule(&f)),
			     show_id);
}

static int fault_list(int argc, char **argv)
{
	const char *control = NULL;
	const struct option options[] = { TEXT("control", &control), { 0 } };
	const struct argument arguments[] = { { 0 } };
	int status = options_parse(argc, argv, options, arguments);

	return status ? status :
			talk(control, json_pack("{ss}", "command", "fault-list"), show_rules);
}

static int fault_clear(int argc, char **argv)
{
	const char *control = NULL, *which = NULL;
	const struct option options[] = { TEXT("control", &control), { 0 } };
	const struct argument arguments[] = { OPTIONAL("ID", &which), { 0 } };
	int status = options_parse(argc, argv, options, arguments);
	json_t *request;
	uint64_t id = 0;

	if (status)
		return status;
	if (which && strcmp(which, "all") != 0 &&
	    (!text_u64(which, strlen(which), &id) || !id || id > INT32_MAX))
		return fail(EXIT_USAGE, "ID: not the number of a rule; see devstore fault list");
	request = json_pack("{ss}", "command", "fault-clear");
	if (id)
		json_object_set_new(request, "id", json_integer((json_int_t)id));
	return talk(control, request, show_nothing);
}

static int fault(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "set"))
		return fault_set(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "list"))
		return fault_list(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "clear"))
		return fault_clear(argc - 1, argv + 1);
	return fail(EXIT_USAGE, "fault: set, list or clear; see clouddrivectl devstore --help");
}

static int counters(int argc, char **argv)
{
	const char *control = NULL;
	bool reset = false;
	const struct option options[] = {
		TEXT("control", &control),
		FLAG("reset", &reset),
		{ 0 },
	};
	const struct argument arguments[] = { { 0 } };
	int status = options_parse(argc, argv, options, arguments);

	return status ?
		       status :
		       talk(control,
			    json_pack("{ss sb}", "command", "counters", "reset", (int)reset), NULL);
}

static int run(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "fault"))
		return fault(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "counters"))
		return counters(argc - 1, argv + 1);
	return serve(argc, argv);
}

static const char help[] =
	"usage: clouddrivectl devstore [OPTION]...\n"
	"       clouddrivectl devstore fault set FAULT [OPTION]...\n"
	"       clouddrivectl devstore fault list|clear [ID]\n"
	"       clouddrivectl devstore counters [--reset]\n"
	"\n"
	"A page-blob service on this machine, for trying and testing drives. Prints its\n"
	"endpoint when it is ready; SIGTERM or SIGINT ends it.\n"
	"\n"
	"  --data DIR              where blobs are kept (/var/lib/clouddrive/devstore for root,\n"
	"                          else ~/.local/state/clouddrive/devstore)\n"
	"  --listen ADDRESS:PORT   default " DS_DEFAULT_LISTEN "; port 0 is any that is free\n"
	"  --allow-remote          an address that other machines can reach\n"
	"  --durable               an acknowledged write survives a power loss too\n"
	"  --account NAME:KEYFILE  an account and its key in base64, as often as there are\n"
	"                          accounts; without: devstoreaccount1 and its published key\n"
	"  --container NAME        make this container, unless it is there\n"
	"  --tls-cert FILE --tls-key FILE   https, by PEM files\n"
	"  --control PATH          the control socket (DIR/control)\n"
	"  --async-copy-above SIZE copies of bigger blobs are asynchronous (64M)\n"
	"  --copy-time MS          and take at least so long (500)\n"
	"  --profile NAME          limits and latency as of Azure's standard page blobs, or\n"
	"                          premium ones of a tier: standard, premium-p4 to -p60\n"
	"  --seed NUMBER           of the chance in faults\n"
	"\n"
	"FAULT is refuse, reset, answer, delay, lose, late, truncate, corrupt, hangup,\n"
	"throttle, latency, clock, expire-lease, break-lease or steal-lease; which calls it\n"
	"hits:\n"
	"\n"
	"  --op NAME        an operation (PutPage), or write, read, list, other, connect\n"
	"  --blob PATTERN   CONTAINER/BLOB, with * and ?\n"
	"  --range A-B      bytes that the call's range touches\n"
	"  --after N --count N --probability P --for MS\n"
	"\n"
	"and what it does: --status CODE --retry-after S (answer, throttle), --delay MS\n"
	"(delay, lose, late), --bytes N (truncate, corrupt, hangup), --ops N --rate BYTES\n"
	"--refuse (throttle), --median MS --p99 MS (latency), --ahead S or --behind S\n"
	"(clock). The number of the rule is printed. See clouddrivectl-devstore(8).\n"
	"\n"
	"Example:\n"
	"  clouddrivectl devstore --data /tmp/store --container drives &\n"
	"  clouddrivectl devstore fault set answer --status 503 --op PutPage --count 3 \\\n"
	"      --control /tmp/store/control\n"
	"\n"
	"Exit status: 0 ended by a signal, or done; 1 it failed; 2 wrong usage; 7 no devstore\n"
	"at the control socket.\n";

const struct verb verb_devstore = {
	.name = "devstore",
	.arguments = "[--data DIR]",
	.summary = "a page-blob service on this machine, for tests",
	.help = help,
	.run = run,
};
