"""A model folder as Dynamo's frontend and mocker read it: a tokenizer and a shape, no weights."""
