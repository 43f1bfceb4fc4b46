/* replay_main.c: inputs of the fuzz yard over the row wasm, with all oracles, in WebAssembly.
 *
 *     replay FILE…            bytes, as heapyard-replay assembles them from seeds
 *
 * Ends with a count of what was run. Exit codes: 0 nothing was found, 2 a file can't be read, 5 there is
 * none; a finding prints its line and traps.
 */
#include "allocators/registry.h"
#include "fuzz/properties.h"
#include <stdio.h>

extern const hy_property hy_conform_property, hy_oom_property;

#define INPUT_MAX 65536

static uint8_t bytes[INPUT_MAX];

static bool read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    *size = fread(bytes, 1, INPUT_MAX, file);
    bool is_whole = !ferror(file) && *size < INPUT_MAX;
    fclose(file);
    return is_whole;
}

int main(int count, char **paths) {
    const hy_row *row = hy_registry_find("wasm");
    size_t operations = 0, size = 0;
    for (int i = 1; i < count; i++) {
        if (!read_file(paths[i], &size)) {
            fprintf(stderr, "replay: %s: can't be read, or has %d bytes or more\n", paths[i], INPUT_MAX);
            return 2;
        }
        operations += hy_conform_property.run(row, bytes, size);
        operations += hy_oom_property.run(row, bytes, size);
    }
    printf("inputs %d, operations %zu, findings 0\n", count - 1, operations);
    return count > 1 ? 0 : 5;
}
