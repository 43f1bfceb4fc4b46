/* heapyard/heapyard.h: everything at once. Each header can be included alone. */
#ifndef HEAPYARD_HEAPYARD_H
#define HEAPYARD_HEAPYARD_H

#include <heapyard/align.h>
#include <heapyard/allocator.h>
#include <heapyard/arena.h>
#include <heapyard/arena_shared.h>
#include <heapyard/block_index.h>
#include <heapyard/bump.h>
#include <heapyard/call.h>
#include <heapyard/check.h>
#include <heapyard/counting.h>
#include <heapyard/debug.h>
#include <heapyard/default.h>
#include <heapyard/error.h>
#include <heapyard/failing.h>
#include <heapyard/fixed_buffer.h>
#include <heapyard/handle.h>
#include <heapyard/headered.h>
#include <heapyard/host.h>
#include <heapyard/libc.h>
#include <heapyard/limited.h>
#include <heapyard/line_sink.h>
#include <heapyard/logging.h>
#include <heapyard/memory.h>
#include <heapyard/null.h>
#include <heapyard/os.h>
#include <heapyard/page.h>
#include <heapyard/pool.h>
#include <heapyard/raw_libc.h>
#include <heapyard/recording.h>
#include <heapyard/scope.h>
#include <heapyard/smp.h>
#include <heapyard/smp_lookup.h>
#include <heapyard/smp_stats.h>
#include <heapyard/stack_fallback.h>
#include <heapyard/stack_trace.h>
#include <heapyard/string.h>
#include <heapyard/sweep.h>
#include <heapyard/testing.h>
#include <heapyard/thread_safe.h>
#include <heapyard/thread_slot.h>
#include <heapyard/typed.h>
#include <heapyard/validating.h>
#include <heapyard/wide_align.h>

#endif
