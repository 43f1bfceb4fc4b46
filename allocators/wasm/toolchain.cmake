# WebAssembly by clang and wasm-ld, with the C library that Debian has for it; no emscripten.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
if(NOT CMAKE_C_COMPILER)
  set(CMAKE_C_COMPILER clang-14)
endif()
set(CMAKE_C_COMPILER_TARGET wasm32-wasi)
set(CMAKE_C_COMPILER_WORKS TRUE) # whoever configures has looked
set(CMAKE_EXECUTABLE_SUFFIX .wasm)
