// The shortest stranger in C++: one photo, OpenVINO and nothing else.
//
//     classify EXPORT PHOTO.ppm        EXPORT is what `tsugiki export RUN --format openvino` wrote
//
// A photo comes as decoded RGB of any size: here as a binary PPM file (`convert photo.jpg photo.ppm`), elsewhere from the decoder
// that is there. Resizing, normalisation and calibration are in the model. The names of the classes are in the model, too; a space
// in a name has become "_".
//
// With the headers and libraries that `pip install openvino` brings, PLACE being its folder:
//     g++ -std=c++17 classify.cpp -I PLACE/include PLACE/libs/libopenvino.so.* -Wl,-rpath,PLACE/libs -o classify

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <openvino/openvino.hpp>

int main(int count, char** words) {
    if (count != 3) {
        std::cerr << "classify EXPORT PHOTO.ppm\n";
        return 2;
    }
    std::ifstream file(words[2], std::ios::binary);
    std::string kind;
    std::size_t width = 0, height = 0, top = 0;
    file >> kind >> width >> height >> top;
    file.get();  // the one blank before the pixels
    ov::Tensor pixels(ov::element::u8, {1, height, width, 3});
    if (kind != "P6" || top != 255 || !file.read(reinterpret_cast<char*>(pixels.data<uint8_t>()), pixels.get_byte_size())) {
        std::cerr << words[2] << " is no binary PPM file with 8 bits per colour\n";
        return 1;
    }

    ov::Core core;
    auto model = core.read_model(std::string(words[1]) + "/photo.xml");
    auto request = core.compile_model(model, "CPU", ov::hint::inference_precision(ov::element::f32)).create_infer_request();
    request.set_input_tensor(pixels);
    request.infer();

    if (!model->has_rt_info("model_info", "labels")) {
        std::cerr << "this model shows several classes per photo: their names and thresholds are in model.json\n";
        return 1;
    }
    std::istringstream names(model->get_rt_info<std::string>("model_info", "labels"));
    std::vector<std::string> labels;
    for (std::string name; names >> name;) labels.push_back(name);
    auto tensor = request.get_tensor("probabilities");
    const float* probabilities = tensor.data<float>();
    auto best = std::max_element(probabilities, probabilities + labels.size()) - probabilities;
    std::cout << labels[best] << '\t' << std::fixed << std::setprecision(6) << probabilities[best] << '\n';
    return 0;
}
