/* SPDX-License-Identifier: MIT */
/*
 * crc64.h - the CRC64 that Azure Storage carries in x-ms-content-crc64
 *
 * It is CRC-64/NVME (reflected, all ones in and out, as zlib's CRC-32 is).  On the wire its 8 bytes go little-endian, in base64.
 */
#ifndef LIB_CRC64_H
#define LIB_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what @crc was the CRC of (0 for nothing) followed by @buf. */
uint64_t crc64(uint64_t crc, const void *buf, size_t len);

#define CRC64_TEXT 13 /* 12 characters and a NUL */
void crc64_text(uint64_t crc, char text[CRC64_TEXT]);

#endif
