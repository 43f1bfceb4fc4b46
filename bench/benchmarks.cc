// benchmarks.cc: Google Benchmark as the driver of the sampler.
#include "bench/benchmarks.h"
#include <benchmark/benchmark.h>
#include <string>
#include <vector>

namespace {

// What the reporter of a quiet run does: nothing but let the benchmarks run.
class QuietReporter : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(const Context &) override {
        return true;
    }
    void ReportRuns(const std::vector<Run> &) override {}
};

void sample_once(hy_cell_group *group) {
    if (group->sampled) return;
    group->sampled = true;
    group->failed = !hy_sample(&group->plan, group->candidates, group->samples, group->count);
}

void run_candidate(benchmark::State &state, hy_cell_group *group, size_t index) {
    sample_once(group);
    const hy_samples &samples = group->samples[index];
    const char *error = group->failed ? "the sampler had no memory or no threads" : samples.error;
    if (error) {
        state.SkipWithError(error);
        return;
    }
    uint32_t round = 0;
    for (auto unused : state) {
        (void)unused;
        state.SetIterationTime(samples.ns_per_op[round] * 1e-9);
        round = (round + 1) % group->plan.rounds;
    }
}

std::string benchmark_name(const hy_cell_group *group, size_t index) {
    return std::string(group->plan.workload->name) + "/" + group->plan.cell.params +
           "/threads:" + std::to_string(group->plan.cell.threads) + "/" + group->candidates[index].label;
}

} // namespace

extern "C" void hy_group_register(hy_cell_group *group) {
    for (size_t index = 0; index < group->count; index++) {
        benchmark::RegisterBenchmark(benchmark_name(group, index).c_str(),
            [group, index](benchmark::State &state) { run_candidate(state, group, index); })
            ->UseManualTime()
            ->Iterations(group->plan.rounds);
    }
}

extern "C" bool hy_benchmarks_initialize(int argc, char **argv) {
    benchmark::Initialize(&argc, argv);
    return !benchmark::ReportUnrecognizedArguments(argc, argv);
}

extern "C" size_t hy_benchmarks_run(bool quiet) {
    QuietReporter reporter;
    return quiet ? benchmark::RunSpecifiedBenchmarks(&reporter) : benchmark::RunSpecifiedBenchmarks();
}
