"""NVIDIA Dynamo's own frontend and mocker in an image of their own, with a model folder that needs no download."""
