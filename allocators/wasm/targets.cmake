# The modules in WebAssembly, and their tests in Node: built by a project of their own (CMakeLists.txt beside), where
# the tools are here. One build has them, the plain one.
find_program(HY_WASM_CLANG NAMES clang-14 clang)
find_program(HY_NODE NAMES node)
set(probe ${CMAKE_CURRENT_BINARY_DIR}/wasm_probe)
file(WRITE ${probe}.c "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n")
set(status 1)
if(HY_WASM_CLANG AND HY_NODE)
  execute_process(COMMAND ${HY_WASM_CLANG} --target=wasm32-wasi ${probe}.c -o ${probe}.wasm
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
endif()
if(NOT status EQUAL 0)
  message(STATUS "not in this build: the tests in WebAssembly (install clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32 nodejs)")
  return()
endif()

include(ExternalProject)
set(modules ${CMAKE_CURRENT_BINARY_DIR}/wasm)
ExternalProject_Add(heapyard_wasm_modules
  SOURCE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/wasm
  BINARY_DIR ${modules}
  CMAKE_ARGS -DCMAKE_TOOLCHAIN_FILE=${CMAKE_CURRENT_SOURCE_DIR}/wasm/toolchain.cmake
    -DCMAKE_C_COMPILER=${HY_WASM_CLANG} -DCMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER}
  BUILD_ALWAYS TRUE # that project knows what is out of date
  INSTALL_COMMAND "")

set(run ${HY_NODE} --no-warnings ${CMAKE_CURRENT_SOURCE_DIR}/wasm/run.mjs)
set(alone ${HY_NODE} ${CMAKE_CURRENT_SOURCE_DIR}/wasm/alone.mjs)
add_test(NAME allocators/wasm/conformance COMMAND ${run} ${modules}/conformance.wasm)
add_test(NAME allocators/wasm/growth COMMAND ${run} ${modules}/growth.wasm 96)
add_test(NAME allocators/wasm/growth_to_the_end COMMAND ${run} ${modules}/growth.wasm 0)
add_test(NAME allocators/wasm/size COMMAND ${alone} ${modules}/alone.wasm 4096)
add_test(NAME allocators/wasm/size64 COMMAND ${alone} ${modules}/alone64.wasm 4096)
# Every workload once; they check what they read.
add_test(NAME allocators/wasm/speed COMMAND ${run} ${modules}/speed.wasm 1)
set(tests conformance growth growth_to_the_end size size64 speed)

# The committed histories, assembled by this build's replayer, which knows every row's operations.
file(GLOB_RECURSE seeds CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/corpus/seeds/*.txt ${CMAKE_SOURCE_DIR}/corpus/regressions/*.txt)
set(inputs ${CMAKE_CURRENT_BINARY_DIR}/wasm_inputs)
file(MAKE_DIRECTORY ${inputs})
foreach(seed IN LISTS seeds)
  file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/corpus ${seed})
  string(REPLACE "/" "." name ${name})
  list(APPEND pairs ${seed} ${inputs}/${name})
  list(APPEND names /${name})
endforeach()
add_test(NAME allocators/wasm/inputs COMMAND heapyard-replay assemble ${pairs})
add_test(NAME allocators/wasm/corpus COMMAND ${run} ${modules}/replay.wasm --root ${inputs} ${names})
set_tests_properties(allocators/wasm/inputs PROPERTIES FIXTURES_SETUP wasm_inputs)
set_tests_properties(allocators/wasm/corpus PROPERTIES FIXTURES_REQUIRED wasm_inputs)
list(APPEND tests inputs corpus)
foreach(test IN LISTS tests)
  set_tests_properties(allocators/wasm/${test} PROPERTIES TIMEOUT 120)
endforeach()
