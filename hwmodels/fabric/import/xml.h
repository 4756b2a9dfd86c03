// The part of XML that topology files use: elements with attributes. No text between elements, no DTD, no
// namespaces; the five predefined entities. Each element knows its line.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gpuplan::fabric {

struct XmlElement {
  std::string name;
  int line = 0;
  std::vector<std::pair<std::string, std::string>> attributes;  // each name once
  std::vector<XmlElement> children;

  // Value of an attribute; nullptr where there is none.
  [[nodiscard]] const std::string* attribute(std::string_view key) const;
};

// Parses one document; depth is limited to 64. Throws InputError with "name:line".
XmlElement parse_xml(std::string_view text, const std::string& name);
// `text` as the value of an attribute.
std::string xml_escaped(std::string_view text);

}  // namespace gpuplan::fabric
