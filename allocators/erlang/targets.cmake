# The native functions in Erlang's virtual machine, and their suite: where Erlang, its header and EUnit are here.
find_program(HY_ERL NAMES erl)
find_program(HY_ERLC NAMES erlc)
if(HY_ERL AND HY_ERLC AND NOT HY_ERLANG_INCLUDE)
  execute_process(
    COMMAND ${HY_ERL} -noinput -boot start_clean -eval "{file, _} = code:is_loaded(code), true = is_list(code:lib_dir(eunit)), io:put_chars(code:root_dir()), halt()."
    RESULT_VARIABLE status OUTPUT_VARIABLE root ERROR_QUIET)
  if(status EQUAL 0 AND EXISTS ${root}/usr/include/erl_nif.h)
    set(HY_ERLANG_INCLUDE ${root}/usr/include CACHE INTERNAL "")
  endif()
endif()
if(NOT HY_ERLANG_INCLUDE)
  message(STATUS "not in this build: the tests in Erlang's virtual machine (install erlang-base erlang-dev erlang-eunit)")
  return()
endif()

set(beams ${CMAKE_CURRENT_BINARY_DIR}/erlang)
add_library(heapyard_nif MODULE erlang/heapyard_nif.c erlang/system_calls.c)
target_include_directories(heapyard_nif SYSTEM PRIVATE ${HY_ERLANG_INCLUDE})
target_link_libraries(heapyard_nif PRIVATE heapyard hy_options)
target_link_options(heapyard_nif PRIVATE -Wl,--exclude-libs,ALL) # another library may have a heapyard too
set_target_properties(heapyard_nif PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY ${beams})

foreach(module heapyard heapyard_tests)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/erlang/${module}.erl)
  add_custom_command(OUTPUT ${beams}/${module}.beam
    COMMAND ${HY_ERLC} -Werror -o ${beams} ${source} DEPENDS ${source} VERBATIM)
  list(APPEND compiled ${beams}/${module}.beam)
endforeach()
add_custom_target(heapyard_beams ALL DEPENDS ${compiled})

add_test(NAME allocators/erlang/eunit COMMAND ${HY_ERL} -noinput -boot start_clean -pa ${beams}
  -eval "case eunit:test(heapyard_tests, [verbose]) of ok -> halt(0); _ -> halt(1) end.")
set_tests_properties(allocators/erlang/eunit PROPERTIES TIMEOUT 120)
