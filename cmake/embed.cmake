# Writes OUTPUT, a C++ source that defines portwright::NAMESPACE::embedded_STEM()
# for each of INPUTS (a list separated by "|").
string(REPLACE "|" ";" INPUTS "${INPUTS}")
set(text "#include <string_view>\n\nnamespace portwright::${NAMESPACE} {\n")
foreach(input IN LISTS INPUTS)
  get_filename_component(stem "${input}" NAME_WE)
  file(READ "${input}" body)
  string(APPEND text
    "std::string_view embedded_${stem}() {\n  return R\"PORTWRIGHT(${body})PORTWRIGHT\";\n}\n")
endforeach()
string(APPEND text "} // namespace portwright::${NAMESPACE}\n")
file(WRITE "${OUTPUT}" "${text}")
