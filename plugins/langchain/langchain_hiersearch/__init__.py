"""LangChain retrievers over hiersearch: photos and texts from general to specific."""

from langchain_hiersearch.base import HierarchicalRetriever
from langchain_hiersearch.collection import CollectionRetriever
from langchain_hiersearch.photos import PhotoRetriever

__version__ = "0.1.0"

__all__ = ["CollectionRetriever", "HierarchicalRetriever", "PhotoRetriever"]
