/* misuse.c: what a row promises to report, it reports, and nothing else.
 *
 *   unreported    a misuse on purpose was not reported, or as another one, though the row promises that
 *   passed_on     what was reported reached the child all the same, where the row promises that it does not
 *   false_alarm   something was reported although nothing had been misused
 */
#include "fuzz/misuse.h"

#include "fuzz/finding.h"
#include "fuzz/oracles.h"
#include <string.h>

static hy_misuse_sink sink;

static void made(const hy_run *run, const hy_run_call *call) {
    const hy_row_reports *reports = run->row->reports;
    (void)call;
    sink = (hy_misuse_sink){0};
    if (!run->is_made || !reports || !reports->watch) return;
    void *state = run->instance.state;
    reports->watch(run->row->operated ? run->row->operated(state) : state, &sink);
}

static void expect_silence(const hy_run *run, const hy_run_call *call) {
    (void)run, (void)call;
    if (HY_LIKELY(sink.count == 0)) return;
    hy_finding("false_alarm", "%zu reports (of %#x) although nothing was misused", sink.count, sink.told);
}

/* It ends its process, and says for what. */
static void expect_end(const hy_misdeed *deed, const char *says) {
    const char *name = hy_misuse_name(deed->misuse);
    if (!deed->has_ended) hy_finding("unreported", "%s did not end the process", name);
    if (!strstr(deed->words, says))
        hy_finding("unreported", "%s was reported as \"%.*s\", which says nothing of \"%s\"", name,
            (int)strcspn(deed->words, "\n"), deed->words, says);
}

static void misused(const hy_run *run, const hy_run_call *call) {
    const hy_row_reports *reports = run->row->reports;
    const hy_misdeed *deed = &run->misdeed;
    const char *name = hy_misuse_name(deed->misuse), *says = reports->says[deed->misuse];
    (void)call;
    if (says) {
        expect_end(deed, says);
    } else if (reports->counted & HY_MISUSE_BIT(deed->misuse)) {
        if (!(sink.told & HY_MISUSE_BIT(deed->misuse)))
            hy_finding(
                "unreported", "%s was not reported, but %zu others (of %#x)", name, sink.count, sink.told);
        if (reports->withholds && deed->was_passed_on)
            hy_finding("passed_on", "%s was reported, and reached the child", name);
    } else if (!deed->is_poisoned) {
        hy_finding("unreported", "%s would go unseen by AddressSanitizer", name);
    }
}

const hy_oracle hy_misuse_oracle = {
    .name = "misuse",
    .summary = "what a row promises to report it reports, and nothing else",
    .on = {[HY_ON_MADE] = made,
        [HY_ON_STEP] = expect_silence,
        [HY_ON_MISUSED] = misused,
        [HY_ON_END] = expect_silence},
};
