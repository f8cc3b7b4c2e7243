/* SPDX-License-Identifier: MIT */
/*
 * scenario.h - what can be run: one file each
 */
#ifndef STRESS_SCENARIO_H
#define STRESS_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

/* Each runs for @seconds, its choices made by @seed, complains of what is wrong, and
 * leaves no drive. */
void run_drives(uint64_t seed, unsigned int seconds);
void run_payload(uint64_t seed, unsigned int seconds);
void run_ports(uint64_t seed, unsigned int seconds);
void run_unload(uint64_t seed, unsigned int seconds);
void run_failing(uint64_t seed, unsigned int seconds);

#endif
