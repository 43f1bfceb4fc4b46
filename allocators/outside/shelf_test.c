/* shelf_test.c: the row against the contract. */
#include <heapyard/conformance.h>
#include <stdio.h>

extern const hy_row hy_shelf_row;

static void tell(void *context, const hy_row *row, const hy_conformance_check *check, const char *why) {
    (void)context;
    printf("%s: %s: %s\n", row->name, check->name, why ? why : "holds");
}

int main(void) {
    return hy_conformance_run_row(&hy_shelf_row, tell, NULL) ? 0 : 1;
}
