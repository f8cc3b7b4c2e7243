/* SPDX-License-Identifier: GPL-2.0-only */
/* payload.h - /dev/cdrive-payload, by which a helper copies requests' data */
#ifndef _CDRIVE_PAYLOAD_H
#define _CDRIVE_PAYLOAD_H

int cdrive_payload_init(void);
void cdrive_payload_exit(void);

#endif /* _CDRIVE_PAYLOAD_H */
