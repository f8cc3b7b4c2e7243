// SPDX-License-Identifier: MIT
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"

#define MAGIC 0x7373657274536463ull

struct stamp {
	uint64_t magic, serial, sector;
	uint32_t version, check;
};

void model_init(struct model *m, uint64_t serial, uint64_t first, uint32_t count)
{
	*m = (struct model){ .serial = serial, .first = first, .count = count };
	m->sectors = calloc(count, sizeof(*m->sectors));
	if (!m->sectors)
		give_up("no memory for a model");
}

void model_free(struct model *m)
{
	free(m->sectors);
}

/* All of a sector follows from its stamp. */
static void fill(unsigned char *buf, uint64_t serial, uint64_t sector, uint32_t version)
{
	struct stamp s = { MAGIC, serial, sector, version, (uint32_t)(sector * 31 + version) };
	uint64_t words[SECTOR / 8], word = serial ^ (sector << 20) ^ version;

	for (unsigned int i = 0; i < SECTOR / 8; i++)
		words[i] = word = word * 6364136223846793005u + 1442695040888963407u;
	memcpy(buf, words, sizeof(words));
	memcpy(buf, &s, sizeof(s));
}

uint32_t model_fill(struct model *m, uint32_t from, uint32_t n, unsigned char *buf)
{
	m->version++;
	for (uint32_t i = 0; i < n; i++)
		fill(buf + (size_t)i * SECTOR, m->serial, m->first + from + i, m->version);
	return m->version;
}

void model_wrote(struct model *m, uint32_t from, uint32_t n, uint32_t version)
{
	for (uint32_t i = from; i < from + n; i++)
		m->sectors[i] = (struct model_sector){ .oldest = version, .newest = version };
}

void model_failed(struct model *m, uint32_t from, uint32_t n, uint32_t version)
{
	for (uint32_t i = from; i < from + n; i++) {
		if (version)
			m->sectors[i].newest = version;
		else
			m->sectors[i].or_zero = true;
	}
}

static bool is_zero(const unsigned char *buf)
{
	static const unsigned char zeroes[SECTOR];

	return !memcmp(buf, zeroes, SECTOR);
}

static void check(const struct model *m, uint32_t i, const unsigned char *buf)
{
	const struct model_sector *want = &m->sectors[i];
	unsigned char expected[SECTOR];
	struct stamp s;

	if (is_zero(buf)) {
		if (want->oldest && !want->or_zero)
			complain("serial %llu: sector %llu is zero, its version was %u to %u",
				 (unsigned long long)m->serial, (unsigned long long)m->first + i,
				 want->oldest, want->newest);
		return;
	}
	memcpy(&s, buf, sizeof(s));
	fill(expected, m->serial, m->first + i, s.version);
	if (memcmp(buf, expected, SECTOR))
		complain(
			"serial %llu: sector %llu holds something else: serial %llu sector %llu version %u",
			(unsigned long long)m->serial, (unsigned long long)m->first + i,
			(unsigned long long)s.serial, (unsigned long long)s.sector, s.version);
	else if (s.version < want->oldest || s.version > want->newest)
		complain("serial %llu: sector %llu has version %u, not %u to %u",
			 (unsigned long long)m->serial, (unsigned long long)m->first + i, s.version,
			 want->oldest, want->newest);
}

void model_check(const struct model *m, uint32_t from, uint32_t n, const unsigned char *buf)
{
	for (uint32_t i = 0; i < n; i++)
		check(m, from + i, buf + (size_t)i * SECTOR);
}
