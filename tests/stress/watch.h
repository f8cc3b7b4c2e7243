/* SPDX-License-Identifier: MIT */
/*
 * watch.h - looks at whatever can be looked at, while drives come and go
 */
#ifndef STRESS_WATCH_H
#define STRESS_WATCH_H

#include <stdint.h>

void watch_start(uint64_t seed);
void watch_stop(void);

#endif
