#!/bin/bash
# Builds what OSS-Fuzz and ClusterFuzzLite run: a target for each property and row, in $OUT.
# Their contract: $CC $CXX $CFLAGS $CXXFLAGS $LIB_FUZZING_ENGINE $OUT $SRC $WORK, and $SANITIZER.
#
# All targets are one program, which takes the property and the row from its name: PROPERTY-ROW. Beside each are
# its seed corpus, its dictionary and its options. The malloc drop-in (posix, posix_library) is not among them: it
# is a shared library of its own, which $OUT does not carry.

set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$WORK/heapyard

# Schedules switch stacks, which MemorySanitizer does not follow.
case "${SANITIZER:-address}" in
address | undefined) sanitize=${SANITIZER:-address} schedules=ON ;;
*) sanitize='' schedules=OFF ;;
esac

cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_C_FLAGS="${CFLAGS:-}" -DCMAKE_CXX_FLAGS="${CXXFLAGS:-}" \
    -DHY_FUZZ_ENGINE="$LIB_FUZZING_ENGINE" -DHY_SANITIZE="$sanitize" -DHY_CHECK_LEVEL=2 -DHY_WALK=ON -DHY_SMP_SMALL=ON \
    -DHY_SCHEDULES=$schedules \
    -DBUILD_TESTING=OFF
cmake --build "$build" --target heapyard-fuzz

fuzzer=$build/fuzz/heapyard-fuzz
seeds=$WORK/seeds
rm -rf "$seeds"
mkdir -p "$seeds"
pairs=()
while read -r seed; do
    name=${seed#"$source"/corpus/}
    pairs+=("$seed" "$seeds/${name//\//-}")
done < <(find "$source/corpus/seeds" "$source/corpus/regressions" -name '*.txt' | sort)
"$fuzzer" assemble "${pairs[@]}"
rm -f "$WORK/seeds.zip"
(cd "$seeds" && zip -qr "$WORK/seeds.zip" .)

targets=$("$fuzzer" list | awk -F '\t' '
    $1 == "property" && $3 == "once" && $2 != "posix" { print $2 }
    $1 == "cell" && $2 != "posix_library" { print $2 "-" $3 }')
for target in $targets; do
    cp "$fuzzer" "$OUT/$target"
    cp "$WORK/seeds.zip" "$OUT/${target}_seed_corpus.zip"
    cp "$source/fuzz/heapyard.dict" "$OUT/$target.dict"
    cp "$source/fuzz/oss-fuzz/target.options" "$OUT/$target.options"
done
