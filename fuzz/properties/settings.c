/* settings.c: any options are refused as the header says, or make an instance that serves.
 *
 * Byte 0 chooses which call the child refuses, 0 none; the row's `settings` makes options of the rest, and
 * blocks under them. What is said on standard error of senseless options, as it is promised, is not shown: it
 * would be most of what an engine prints.
 */
#include "allocators/conformance/child.h"
#include "fuzz/finding.h"
#include "fuzz/layers.h"
#include "fuzz/properties.h"
#include <fcntl.h>
#include <heapyard/settings.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static hy_child child = {.place = (void *)(uintptr_t)0x7ea000000000};

static struct { int shown, hidden; } messages = {-1, -1};

static void hush(bool on) {
    if (!on) {
        fflush(stderr);
        (void)dup2(messages.shown, STDERR_FILENO);
        return;
    }
    if (messages.hidden < 0) {
        messages.hidden = open("/dev/null", O_WRONLY | O_CLOEXEC);
        messages.shown = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        if (messages.hidden < 0 || messages.shown < 0) abort();
    }
    (void)dup2(messages.hidden, STDERR_FILENO);
}

static bool applies(const hy_row *row) {
    return row->settings && !row->stack;
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    hy_settings from = {bytes, bytes + size, hush};
    hy_allocator allocator = hy_child_plain(&child);
    uint8_t refused = hy_settings_byte(&from);
    if (refused) child.call_refusal = refused - 1u;
    hy_fuzz_place_now = (hy_fuzz_place){row->name, "settings", 0};
    hy_layers_restart(row);
    const char *wrong = row->settings(allocator, &from);
    if (wrong) hy_finding("settings", "%s", wrong);
    const hy_child_block *kept = hy_child_lowest_live(&child);
    if (kept)
        hy_finding(
            "leak", "%zu bytes at %p were not given back to the child", kept->size, (void *)kept->address);
    return 1;
}

const hy_property hy_settings_property = {
    .name = "settings",
    .summary = "any options are refused as the header says, or make an instance that serves",
    .over_rows = true,
    .applies = applies,
    .run = run,
};
