# What makes building from nothing fast.

# Headers of others that most files take, parsed once for each target that asks for them:
#   precompile(TARGET [MORE...])
# With clang alone: GCC 12 forgets that they are not ours, and warns of what is inside the standard library.
function(precompile target)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_precompile_headers(${target} PRIVATE
      <algorithm> <array> <cmath> <cstdint> <functional> <map> <memory> <optional> <span> <string> <string_view>
      <unordered_map> <variant> <vector> <fmt/format.h> ${ARGN})
  endif()
endfunction()

# Code that runs once in a while (the command line, scenarios, reports) and tests, which spend their time in
# what they test: compiling them fast is worth more than their own speed. Under sanitizers their optimiser
# takes more than half of the time, and is left out.
add_library(gpuplan_seldom_flags INTERFACE)
target_compile_options(gpuplan_seldom_flags INTERFACE $<$<CONFIG:Release>:-O1> $<$<CONFIG:None>:-O0>)
