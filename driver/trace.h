/* SPDX-License-Identifier: GPL-2.0-only */
/* trace.h - tracepoints: a request's way, and changes of a drive's state */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM cdrive

#if !defined(_CDRIVE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _CDRIVE_TRACE_H

#include <linux/blkdev.h>
#include <linux/tracepoint.h>

#include "table.h"

TRACE_EVENT(cdrive_request_start,
	    TP_PROTO(unsigned int index, const struct cdrive_rq *crq),
	    TP_ARGS(index, crq),
	    TP_STRUCT__entry(__field(unsigned int, index)
			     __field(unsigned int, op)
			     __field(u64, sector)
			     __field(unsigned int, sectors)
	    ),
	    TP_fast_assign(__entry->index = index;
			   __entry->op = crq->desc.op;
			   __entry->sector = crq->desc.sector;
			   __entry->sectors = crq->desc.sectors;
	    ),
	    TP_printk("cdrive%u op=%u sector=%llu sectors=%u", __entry->index,
		      __entry->op, __entry->sector, __entry->sectors)
);

TRACE_EVENT(cdrive_request_forward,
	    TP_PROTO(unsigned int index, const struct cdrive_rq *crq),
	    TP_ARGS(index, crq),
	    TP_STRUCT__entry(__field(unsigned int, index)
			     __field(u32, tag)
			     __field(u64, sector)
	    ),
	    TP_fast_assign(__entry->index = index;
			   __entry->tag = crq->desc.tag;
			   __entry->sector = crq->desc.sector;
	    ),
	    TP_printk("cdrive%u tag=%#x sector=%llu", __entry->index, __entry->tag,
		      __entry->sector)
);

DECLARE_EVENT_CLASS(cdrive_request_done,
		    TP_PROTO(unsigned int index, const struct cdrive_rq *crq),
		    TP_ARGS(index, crq),
		    TP_STRUCT__entry(__field(unsigned int, index)
				     __field(u32, tag)
				     __field(u64, sector)
				     __field(int, status)
		    ),
		    TP_fast_assign(__entry->index = index;
				   __entry->tag = crq->desc.tag;
				   __entry->sector = crq->desc.sector;
				   __entry->status = blk_status_to_errno(crq->status);
		    ),
		    TP_printk("cdrive%u tag=%#x sector=%llu status=%d",
			      __entry->index, __entry->tag,
			      __entry->sector, __entry->status)
);

DEFINE_EVENT(cdrive_request_done, cdrive_request_complete,
	     TP_PROTO(unsigned int index, const struct cdrive_rq *crq),
	     TP_ARGS(index, crq)
);

/* Completed past the deadline. */
DEFINE_EVENT(cdrive_request_done, cdrive_request_keep,
	     TP_PROTO(unsigned int index, const struct cdrive_rq *crq),
	     TP_ARGS(index, crq)
);

/* A hit that came to nothing: it waits for its helper. */
TRACE_EVENT(cdrive_cache_fail,
	    TP_PROTO(unsigned int index, const struct cdrive_rq *crq, int err),
	    TP_ARGS(index, crq, err),
	    TP_STRUCT__entry(__field(unsigned int, index)
			     __field(u64, sector)
			     __field(unsigned int, sectors)
			     __field(int, err)
	    ),
	    TP_fast_assign(__entry->index = index;
			   __entry->sector = crq->desc.sector;
			   __entry->sectors = crq->desc.sectors;
			   __entry->err = err;
	    ),
	    TP_printk("cdrive%u sector=%llu sectors=%u err=%d", __entry->index,
		      __entry->sector, __entry->sectors, __entry->err)
);

/* What was read or written was entered in the cache, or not. */
TRACE_EVENT(cdrive_cache_fill,
	    TP_PROTO(unsigned int index, u64 sector, unsigned int sectors, int err),
	    TP_ARGS(index, sector, sectors, err),
	    TP_STRUCT__entry(__field(unsigned int, index)
			     __field(u64, sector)
			     __field(unsigned int, sectors)
			     __field(int, err)
	    ),
	    TP_fast_assign(__entry->index = index;
			   __entry->sector = sector;
			   __entry->sectors = sectors;
			   __entry->err = err;
	    ),
	    TP_printk("cdrive%u sector=%llu sectors=%u err=%d", __entry->index,
		      __entry->sector, __entry->sectors, __entry->err)
);

DECLARE_EVENT_CLASS(cdrive_state,
		    TP_PROTO(unsigned int index, unsigned int in_flight),
		    TP_ARGS(index, in_flight),
		    TP_STRUCT__entry(__field(unsigned int, index)
				     __field(unsigned int, in_flight)
		    ),
		    TP_fast_assign(__entry->index = index;
				   __entry->in_flight = in_flight;
		    ),
		    TP_printk("cdrive%u in_flight=%u", __entry->index, __entry->in_flight)
);

DEFINE_EVENT(cdrive_state, cdrive_park,
	     TP_PROTO(unsigned int index, unsigned int in_flight),
	     TP_ARGS(index, in_flight)
);

/* The deadline has passed. */
DEFINE_EVENT(cdrive_state, cdrive_lease_expire,
	     TP_PROTO(unsigned int index, unsigned int in_flight),
	     TP_ARGS(index, in_flight)
);

/* The park limit has passed. */
DEFINE_EVENT(cdrive_state, cdrive_expire,
	     TP_PROTO(unsigned int index, unsigned int in_flight),
	     TP_ARGS(index, in_flight)
);

DEFINE_EVENT(cdrive_state, cdrive_adopt,
	     TP_PROTO(unsigned int index, unsigned int in_flight),
	     TP_ARGS(index, in_flight)
);

DEFINE_EVENT(cdrive_state, cdrive_fence,
	     TP_PROTO(unsigned int index, unsigned int in_flight),
	     TP_ARGS(index, in_flight)
);

/* A deadline was told. */
TRACE_EVENT(cdrive_lease,
	    TP_PROTO(unsigned int index, u64 until, s64 left_ms),
	    TP_ARGS(index, until, left_ms),
	    TP_STRUCT__entry(__field(unsigned int, index)
			     __field(u64, until)
			     __field(s64, left_ms)
	    ),
	    TP_fast_assign(__entry->index = index;
			   __entry->until = until;
			   __entry->left_ms = left_ms;
	    ),
	    TP_printk("cdrive%u until=%llu left_ms=%lld", __entry->index,
		      __entry->until, __entry->left_ms)
);

#endif /* _CDRIVE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
