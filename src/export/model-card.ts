import type { VitConfig } from '../config/architecture.js'

/** The README of an exported folder: what it is, how to use it, and what is not known of it. */
export function modelCard({ imageSize: [height, width], patchSize, embedDim, depth, numHeads }: VitConfig): string {
  return `---
library_name: transformers
tags:
  - image-feature-extraction
  - self-supervised
---

# A vision transformer pre-trained with @cae/torch

${embedDim} wide, ${depth} deep, ${numHeads} heads; images of ${height}x${width} pixels in patches of ${patchSize}. It gives features, it has no classifier.

\`\`\`python
from transformers import AutoImageProcessor, AutoModel

processor = AutoImageProcessor.from_pretrained('.')
model = AutoModel.from_pretrained('.', add_pooling_layer=False)
features = model(**processor(image, return_tensors='pt')).last_hidden_state  # [1, 1 + N, ${embedDim}], class token first
\`\`\`

What it was trained on, its licence and its limits are for whoever publishes it to say here.
`
}
