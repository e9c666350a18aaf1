"""The studio: a page in a browser that shows the noise process, the collapse of a decoder, and how a chain draws in a few calls.

What each tab shows is computed by pure functions in `views`; the files in `tabs` lay it out with Gradio, and know nothing else.
"""
