# The recorder, which is preloaded into programs, and heapyard-trace, which records, converts, prints and
# replays traces. The recorder is plain C without the library and without sanitizers, because it runs inside
# arbitrary programs.
add_executable(heapyard-trace
  trace/command/main.c trace/command/record.c trace/command/stats.c
  trace/command/import.c trace/command/replay.c)
target_link_libraries(heapyard-trace PRIVATE heapyard_yard hy_options)

if(HY_SANITIZE)
  message(STATUS "libheapyard-record.so and its tests: left out of sanitizer builds")
else()
  add_library(heapyard-record SHARED trace/recorder/recorder.c trace/recorder/next.c)
  target_include_directories(heapyard-record PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(heapyard-record PRIVATE _GNU_SOURCE)
  target_compile_options(heapyard-record PRIVATE -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion
    -Wstrict-prototypes -Wmissing-prototypes $<$<BOOL:${HY_WERROR}>:-Werror>)
  target_link_libraries(heapyard-record PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  if(HY_COVERAGE)
    # Its counters are updated inside the recorded program and written when that ends.
    target_compile_definitions(heapyard-record PRIVATE HY_COVERAGE)
    target_compile_options(heapyard-record PRIVATE --coverage -O0 -fprofile-update=atomic)
    target_link_options(heapyard-record PRIVATE --coverage)
  endif()
  set_target_properties(heapyard-record PROPERTIES C_VISIBILITY_PRESET hidden)
  add_dependencies(heapyard-trace heapyard-record)
  # The program that the recorder's tests (scripts/trace_test.py) record.
  if(BUILD_TESTING)
    add_executable(heapyard-exercise trace/recorder/exercise.c)
    target_compile_definitions(heapyard-exercise PRIVATE _GNU_SOURCE)
    target_compile_options(heapyard-exercise PRIVATE -Wall -Wextra -Wpedantic)
    target_link_libraries(heapyard-exercise PRIVATE Threads::Threads)
    # Fault injection into libc and system calls, for the same tests and for allocators/trace/*/*_test.py.
    add_executable(heapyard-strict-system trace/testdata/strict_system.c)
    set_target_properties(heapyard-strict-system PROPERTIES ENABLE_EXPORTS ON)
    add_library(heapyard-refusing-libc MODULE trace/testdata/refusing_libc.c)
    foreach(target heapyard-strict-system heapyard-refusing-libc)
      target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
      target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -fno-builtin)
      target_link_libraries(${target} PRIVATE ${CMAKE_DL_LIBS})
    endforeach()
  endif()
endif()

if(BUILD_TESTING)
  # A recorded program with threads that hand blocks over to each other.
  target_compile_definitions(replay_test PRIVATE HY_TEST_TRACE="${CMAKE_SOURCE_DIR}/corpus/traces/git-grep.hyt")
  # The test compiles reproducers as a user would, with this build's sanitizer and coverage flags.
  set(flags -std=gnu17 -g -Wall -Wextra -Werror)
  if(HY_SANITIZE)
    list(APPEND flags -fsanitize=${HY_SANITIZE})
  endif()
  if(HY_COVERAGE)
    list(APPEND flags --coverage)
  endif()
  list(JOIN flags " " flags)
  target_compile_definitions(print_c_test PRIVATE
    HY_TEST_COMPILE="${CMAKE_C_COMPILER} ${flags} -I${CMAKE_CURRENT_SOURCE_DIR}/include -I${CMAKE_CURRENT_SOURCE_DIR}/plugin/include -I${CMAKE_SOURCE_DIR}"
    HY_TEST_LINK="$<TARGET_FILE:heapyard_rows> $<TARGET_FILE:heapyard> -lpthread -ldl")
endif()
