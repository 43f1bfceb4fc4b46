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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#if HY_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

static hy_child child = {.place = (void *)(uintptr_t)0x7ea000000000};

/* What a row says is passed over, but for why it ended the process. */
static struct {
    int shown, hidden;
    struct sigaction before;
} messages = {-1, -1, {.sa_handler = SIG_DFL}};

static void open_messages(void) {
    messages.hidden = memfd_create("settings", MFD_CLOEXEC);
    messages.shown = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (messages.hidden < 0 || messages.shown < 0) abort();
#if HY_ASAN
    __sanitizer_set_report_fd((void *)(intptr_t)messages.shown); /* NOLINT(performance-no-int-to-ptr) */
#endif
}

static void show(void) {
    (void)dup2(messages.shown, STDERR_FILENO);
    sigaction(SIGABRT, &messages.before, NULL);
}

/* Says what was hidden, and leaves the rest to whoever waited for the signal before. */
static void on_abort(int number) {
    char text[512];
    ssize_t size;
    show();
    (void)lseek(messages.hidden, 0, SEEK_SET);
    while ((size = read(messages.hidden, text, sizeof text)) > 0) {
        if (write(STDERR_FILENO, text, (size_t)size) != size) break;
    }
    raise(number);
}

static void hush(bool on) {
    const struct sigaction ours = {.sa_handler = on_abort};
    if (!on) {
        fflush(stderr);
        show();
        return;
    }
    if (messages.hidden < 0) open_messages();
    if (ftruncate(messages.hidden, 0) != 0) abort();
    (void)lseek(messages.hidden, 0, SEEK_SET);
    (void)dup2(messages.hidden, STDERR_FILENO);
    sigaction(SIGABRT, &ours, &messages.before);
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
